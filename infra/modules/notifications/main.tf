data "aws_caller_identity" "current" {}

locals {
  # EventBridge takes no Condition in a topic's policy: it would deliver nothing, without a word.
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
  senders = [
    {
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    },
    {
      Sid       = "FailedJobs"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
    },
  ]

  name = "${var.res_prefix}-notifications"

  subscriptions = merge([
    for topic, emails in { stakeholders = var.stakeholders, developers = var.developers } : {
      for email in emails : "${topic}/${email}" => { topic = topic, email = email }
    }
  ]...)
}

resource "aws_sns_topic" "this" {
  for_each = toset(["stakeholders", "developers"])

  name              = "${local.name}-${each.key}"
  kms_master_key_id = var.key_arn

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}

# Whom only one feed's runs concern: plugins/filebatch/feeds/settings.py makes the ARN of the stakeholders'.
resource "aws_sns_topic" "feed" {
  for_each = var.feeds

  name              = "${aws_sns_topic.this["stakeholders"].name}-${each.key}"
  kms_master_key_id = var.key_arn

  tags = merge(var.tags, { Name = "${local.name}-stakeholders-${each.key}" })
}

resource "aws_sns_topic_policy" "this" {
  for_each = merge(aws_sns_topic.this, { for feed, topic in aws_sns_topic.feed : "feed/${feed}" => topic })

  arn = each.value.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = each.value.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for statement in local.senders : merge(statement, { Resource = each.value.arn }) if each.key == "developers"],
    )
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = local.subscriptions

  topic_arn = aws_sns_topic.this[each.value.topic].arn
  protocol  = "email"
  endpoint  = each.value.email
}
