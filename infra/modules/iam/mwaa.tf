# What Amazon MWAA itself needs of the role its environment runs as:
# https://docs.aws.amazon.com/mwaa/latest/userguide/mwaa-create-role.html

locals {
  mwaa_statements = flatten([for mwaa in var.mwaa[*] : [
    {
      Sid      = "MwaaHealth"
      Effect   = "Allow"
      Action   = "airflow:PublishMetrics"
      Resource = "arn:${local.partition}:airflow:${var.region}:${local.account}:environment/${mwaa.environment_name}"
    },
    {
      Sid      = "MwaaCode"
      Effect   = "Allow"
      Action   = ["s3:GetBucket*", "s3:GetObject*", "s3:List*"]
      Resource = [mwaa.bucket_arn, "${mwaa.bucket_arn}/*"]
    },
    {
      Sid      = "MwaaPublicAccess"
      Effect   = "Allow"
      Action   = "s3:GetAccountPublicAccessBlock"
      Resource = "*" # the account's setting, which MWAA checks
    },
    {
      Sid    = "MwaaLogs"
      Effect = "Allow"
      Action = [
        "logs:CreateLogGroup", "logs:CreateLogStream", "logs:GetLogEvents", "logs:GetLogGroupFields",
        "logs:GetLogRecord", "logs:GetQueryResults", "logs:PutLogEvents",
      ]
      Resource = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:airflow-${mwaa.environment_name}-*"
    },
    {
      Sid      = "MwaaLogGroups"
      Effect   = "Allow"
      Action   = "logs:DescribeLogGroups"
      Resource = "*" # the service knows no resources for it
    },
    {
      Sid       = "MwaaMetrics"
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*" # the service knows no resources; the namespaces are the limit
      Condition = { StringEquals = { "cloudwatch:namespace" = ["AmazonMWAA", "AWS/MWAA"] } }
    },
    {
      Sid    = "MwaaCelery"
      Effect = "Allow"
      Action = [
        "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
        "sqs:ReceiveMessage", "sqs:SendMessage",
      ]
      Resource = "arn:${local.partition}:sqs:${var.region}:*:airflow-celery-*" # the queues are in MWAA's own account
    },
    {
      Sid         = "MwaaCeleryKey"
      Effect      = "Allow"
      Action      = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"]
      NotResource = "arn:${local.partition}:kms:*:${local.account}:key/*" # MWAA's own key, in its account
      Condition   = { StringLike = { "kms:ViaService" = ["sqs.${var.region}.${local.dns_suffix}"] } }
    },
    {
      Sid      = "MwaaSettings"
      Effect   = "Allow"
      Action   = "secretsmanager:GetSecretValue"
      Resource = mwaa.settings_secret_arn
    },
    {
      Sid       = "MwaaSettingsKey"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = var.key_arn
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.${local.dns_suffix}" } }
    },
  ]])
}
