"""Questions about feeds and files; nothing here changes a state."""
