"""What a feed is, which files are its own, and which of them a run is asked for. Nothing here calls AWS."""
