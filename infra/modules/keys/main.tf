# CloudWatch alarms and EventBridge can't deliver to queues and topics under AWS-managed keys, as those keys' policies
# can't be changed: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name    = "${var.res_prefix}-keys"
  account = data.aws_caller_identity.current.account_id
  root    = "arn:${data.aws_partition.current.partition}:iam::${local.account}:root"
  logs    = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.name}:${local.account}"

  policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountDecidesByIam"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "AlarmsDeliver"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        # Source conditions would stop EventBridge's delivery to encrypted topics without a word (see the link above);
        # the policies of topics and queues say which rules may send.
        Sid       = "EventsDeliver"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
      },
      {
        Sid       = "LogsOfThisEnvironment"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.current.name}.${data.aws_partition.current.dns_suffix}" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = [
              "${local.logs}:log-group:${var.res_prefix}-*",
              "${local.logs}:log-group:airflow-${var.res_prefix}-*",
            ]
          }
        }
      },
    ]
  }
}

resource "aws_kms_key" "messages" {
  count = var.existing == null ? 1 : 0

  description             = "${var.res_prefix}: queues, topics, logs and settings"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days

  policy = jsonencode(local.policy)

  tags = merge(var.tags, { Name = "${local.name}-messages" })
}

resource "aws_kms_alias" "messages" {
  count = var.existing == null ? 1 : 0

  name          = "alias/${local.name}-messages"
  target_key_id = aws_kms_key.messages[0].key_id
}
