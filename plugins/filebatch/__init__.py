"""filebatch: files that land in S3, each processed exactly once by a container on AWS Batch."""
