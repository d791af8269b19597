output "new_files" {
  description = "The bucket that partners drop files into."
  value = one([
    for bucket in concat([for name, made in aws_s3_bucket.this : made if name == "new-files"], values(data.aws_s3_bucket.existing)) :
    { name = bucket.bucket, arn = bucket.arn }
  ])
}

output "results" {
  description = "The bucket of results, quarantine and manifests."
  value       = { name = aws_s3_bucket.this["results"].bucket, arn = aws_s3_bucket.this["results"].arn }
}

output "airflow" {
  description = "MWAA's bucket, or null."
  value       = var.airflow_bucket ? { name = aws_s3_bucket.this["airflow"].bucket, arn = aws_s3_bucket.this["airflow"].arn } : null

  # MWAA refuses a bucket that isn't versioned and closed yet.
  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_public_access_block.this]
}
