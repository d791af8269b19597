"""Tasks of the feed DAGs, by the AWS service that they speak to."""
