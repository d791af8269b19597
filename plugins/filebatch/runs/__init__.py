"""What a run does with files: claim, pack, submit, settle, take over from a dead run, announce."""
