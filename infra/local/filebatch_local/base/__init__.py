"""What everything else stands on: folders and names, the access key, private files, the clock."""
