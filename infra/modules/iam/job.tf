# What the workers of a feed may do: read its files, write its results, move its items of the ledger. Nothing of another
# feed's; a feed's prefix is never the beginning of another's, and neither is its name with the slash behind it.

locals {
  bucket_name = reverse(split(":", var.new_files_bucket_arn))[0]

  job_trust = [{
    Effect    = "Allow"
    Action    = "sts:AssumeRole"
    Principal = { Service = "ecs-tasks.amazonaws.com" }
    Condition = local.own_tasks
  }]

  job_statements = {
    for name, feed in var.feeds : name => [
      {
        Sid      = "ReadNewFiles"
        Effect   = "Allow"
        Action   = "s3:GetObjectVersion" # the bucket has versions, and a worker always names one
        Resource = "${var.new_files_bucket_arn}/${feed.prefix}*"
      },
      {
        Sid       = "KnowWhatIsGone"
        Effect    = "Allow"
        Action    = "s3:ListBucket" # without it S3 says 403 for a version that is gone
        Resource  = var.new_files_bucket_arn
        Condition = { StringLike = { "s3:prefix" = "${feed.prefix}*" } }
      },
      {
        Sid       = "KnowWhatIsNotDone"
        Effect    = "Allow"
        Action    = "s3:ListBucket" # without it S3 says 403 for a result that isn't there yet
        Resource  = var.results_bucket_arns[name]
        Condition = { StringLike = { "s3:prefix" = "results/${name}/*" } }
      },
      {
        Sid      = "ReadUnits"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${var.results_bucket_arns[name]}/manifests/${name}/*"
      },
      {
        Sid      = "WriteResults"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = "${var.results_bucket_arns[name]}/results/${name}/*"
      },
      {
        Sid      = "Quarantine"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${var.results_bucket_arns[name]}/quarantine/${name}/*"
      },
      {
        Sid      = "MoveFiles"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"]
        Resource = var.ledger_arn
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["s3://${local.bucket_name}/${feed.prefix}*", "run#${name}"] }
          Null                      = { "dynamodb:LeadingKeys" = "false" } # ForAllValues holds of no keys at all, too
        }
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

  # Files under a key of the bucket's owner.
  job_key_statements = [for key in var.new_files_key_arn[*] : {
    Sid       = "ReadEncryptedFiles"
    Effect    = "Allow"
    Action    = "kms:Decrypt"
    Resource  = key
    Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.${local.dns_suffix}" } }
  }]
}
