# Batch tells of a failed job through EventBridge. What EventBridge can't deliver to the topic is kept, and alarmed.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  # The inside of a JSON string: an input template is JSON, but for the <names> in it, which must not be encoded.
  runbook = trimsuffix(trimprefix(jsonencode(var.runbook_url), "\""), "\"")

  undelivered = "${local.name}-undelivered"
  retention   = jsondecode(file("${local.documents}/queue.json")).dead_letter_queue.MessageRetentionPeriod
}

module "job_failed" {
  source = "../document"

  name = "job-failed-pattern"
  text = { queue = { job_queue = var.job_queue_arn } }
}

resource "aws_cloudwatch_event_rule" "job_failed" {
  name          = "${local.name}-job-failed"
  description   = "A job failed; children of array jobs are told by their parent"
  event_pattern = jsonencode(module.job_failed.rendered["queue"])

  tags = merge(var.tags, { Name = "${local.name}-job-failed" })
}

resource "aws_cloudwatch_event_target" "job_failed" {
  rule      = aws_cloudwatch_event_rule.job_failed.name
  target_id = "developers"
  arn       = var.developers_topic_arn

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  input_transformer {
    input_paths = {
      id     = "$.detail.jobId"
      name   = "$.detail.jobName"
      reason = "$.detail.statusReason"
      time   = "$.time"
    }
    input_template = "\"Batch job <name> (<id>) failed at <time>: <reason>. See ${local.runbook}#job-failed\""
  }
}

module "undelivered_policy" {
  source = "../document"

  name = "queue-policy"

  text = {
    queue = {
      queue = join(":", ["arn", data.aws_partition.current.partition, "sqs", var.region, data.aws_caller_identity.current.account_id, local.undelivered])
      rule  = aws_cloudwatch_event_rule.job_failed.arn
    }
  }
}

resource "aws_sqs_queue" "undelivered" {
  name                      = local.undelivered
  kms_master_key_id         = var.key_arn
  message_retention_seconds = local.retention
  policy                    = jsonencode(module.undelivered_policy.rendered["queue"])

  tags = merge(var.tags, { Name = local.undelivered })
}

# Its action goes to the topic that EventBridge couldn't reach, but by way of CloudWatch, which another statement lets in.
resource "aws_cloudwatch_metric_alarm" "undelivered" {
  alarm_name          = local.undelivered
  alarm_description   = "Developers were not told of a failed job. See ${var.runbook_url}#undelivered"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.undelivered.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.developers_topic_arn]
  ok_actions          = [var.developers_topic_arn]

  tags = merge(var.tags, { Name = local.undelivered })
}
