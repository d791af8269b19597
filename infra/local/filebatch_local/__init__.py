"""The local AWS: moto, with a Batch that runs its jobs. Start it with `python -m filebatch_local up`."""
