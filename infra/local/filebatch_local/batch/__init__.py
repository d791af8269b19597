"""AWS Batch on this machine: its API, its queue, and jobs that really run, as processes or containers."""
