# What Airflow's tasks and triggers may do, wherever Airflow runs.

# A role's inline policies hold 10,240 characters, so queues and job definitions are named by pattern, not one by one:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

locals {
  # What a job is tagged with when it is submitted (plugins/filebatch/runs/jobs.py): a job's ARN tells nothing about whose it is.
  environment_tag = "filebatch:environment"

  results_buckets = distinct(values(var.results_bucket_arns))

  airflow_statements = [
    {
      Sid      = "TakeArrivals"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
      Resource = var.queue_arn_pattern
    },
    {
      Sid    = "KeepLedger"
      Effect = "Allow"
      Action = [
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
      ]
      Resource = var.ledger_arn
    },
    {
      Sid      = "FindFiles"
      Effect   = "Allow"
      Action   = "dynamodb:Query"
      Resource = ["${var.ledger_arn}/index/listed", "${var.ledger_arn}/index/open"]
    },
    {
      Sid      = "ListNewFiles"
      Effect   = "Allow"
      Action   = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource = var.new_files_bucket_arn
    },
    {
      Sid      = "LookAtNewFiles"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = "${var.new_files_bucket_arn}/*"
    },
    {
      Sid      = "WriteManifests"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = [for arn in local.results_buckets : "${arn}/manifests/*"]
    },
    {
      Sid      = "KeepCurrentResults"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = [for arn in local.results_buckets : "${arn}/current/*"]
    },
    {
      Sid      = "ReadResults"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = [for arn in local.results_buckets : "${arn}/results/*"]
    },
    {
      Sid      = "WriteHistory"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = [for arn in local.results_buckets : "${arn}/history/*"]
    },
    {
      Sid      = "KnowWhatIsMissing"
      Effect   = "Allow"
      Action   = "s3:ListBucket" # without it S3 says 403 for a result that isn't there
      Resource = local.results_buckets
    },
    {
      Sid      = "SubmitJobs"
      Effect   = "Allow"
      Action   = "batch:SubmitJob"
      Resource = [var.job_definition_arn_pattern, var.job_queue_arn]
    },
    {
      Sid      = "ReadJobLogs"
      Effect   = "Allow"
      Action   = "logs:GetLogEvents"
      Resource = "${var.log_group_arn}:log-stream:*"
    },
    {
      # SubmitJob with tags asks for this, too. Only what may be submitted: a tag for jobs that are there already would
      # make anybody's job one that may be ended.
      Sid      = "TagJobsAsSubmitted"
      Effect   = "Allow"
      Action   = "batch:TagResource"
      Resource = [var.job_definition_arn_pattern, var.job_queue_arn]
      Condition = {
        StringEquals                = { "aws:RequestTag/${local.environment_tag}" = var.res_prefix }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = [local.environment_tag] }
      }
    },
    {
      Sid      = "FollowJobs"
      Effect   = "Allow"
      Action   = ["batch:DescribeJobDefinitions", "batch:DescribeJobs", "batch:ListJobs"]
      Resource = "*" # the service knows no resources for them
    },
    {
      Sid       = "EndOwnJobs"
      Effect    = "Allow"
      Action    = "batch:TerminateJob"
      Resource  = local.job_arns
      Condition = { StringEquals = { "aws:ResourceTag/${local.environment_tag}" = var.res_prefix } }
    },
    {
      Sid      = "Notify"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = var.topic_arns
    },
    {
      Sid       = "PublishMetrics"
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*" # the service knows no resources; the namespace is the limit
      Condition = local.metrics_only
    },
    {
      Sid      = "UseMessageKey"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = var.key_arn
      Condition = {
        StringEquals = { "kms:ViaService" = ["sns.${var.region}.${local.dns_suffix}", "sqs.${var.region}.${local.dns_suffix}"] }
      }
    },
  ]

  job_arns = "arn:${local.partition}:batch:${var.region}:${local.account}:job/*"
}
