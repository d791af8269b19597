# What a worker may do.

locals {
  job_statements = [
    {
      Sid      = "ReadNewFiles"
      Effect   = "Allow"
      Action   = "s3:GetObjectVersion" # the bucket has versions, and a worker always names one
      Resource = "${var.new_files_bucket_arn}/*"
    },
    {
      Sid      = "KnowWhatIsGone"
      Effect   = "Allow"
      Action   = "s3:ListBucket" # without it S3 says 403 for a version that is gone
      Resource = var.new_files_bucket_arn
    },
    {
      Sid      = "KnowWhatIsNotDone"
      Effect   = "Allow"
      Action   = "s3:ListBucket" # without it S3 says 403 for a result that isn't there yet
      Resource = var.results_bucket_arn
    },
    {
      Sid      = "ReadUnits"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${var.results_bucket_arn}/manifests/*"
    },
    {
      Sid      = "WriteResults"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "${var.results_bucket_arn}/results/*"
    },
    {
      Sid      = "Quarantine"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${var.results_bucket_arn}/quarantine/*"
    },
    {
      Sid      = "MoveFiles"
      Effect   = "Allow"
      Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"]
      Resource = var.ledger_arn
    },
    {
      Sid       = "PublishMetrics"
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*" # the service knows no resources; the namespace is the limit
      Condition = local.metrics_only
    },
  ]
}
