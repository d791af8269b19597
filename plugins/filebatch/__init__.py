"""filebatch: files that land in S3, each processed exactly once. Airflow-facing code is in operators/, sensors/, triggers/."""
