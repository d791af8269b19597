# A rule, a queue and a dead-letter queue per feed. The queue is only a doorbell with a memory: the ledger is the truth.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name      = "${var.res_prefix}-events"
  documents = "${path.module}/../../documents"
  queue     = jsondecode(file("${local.documents}/queue.json"))
  dead      = local.queue.dead_letter_suffix # feeds have no such names, so that no feed's queue is another's

  # A queue's policy names the queue itself; written by hand so that both are made in one step.
  arn_prefix = join(":", [
    "arn", data.aws_partition.current.partition, "sqs", data.aws_region.current.name, data.aws_caller_identity.current.account_id, local.name,
  ])
}

module "pattern" {
  source = "../document"

  name = "event-pattern"
  text = { for feed, facts in var.feeds : feed => { bucket = var.new_files_bucket, prefix = facts.prefix } }
}

module "policy" {
  source = "../document"

  name = "queue-policy"

  text = merge([
    for feed in keys(var.feeds) : {
      for queue in [feed, "${feed}${local.dead}"] : queue => {
        queue = "${local.arn_prefix}-${queue}"
        rule  = aws_cloudwatch_event_rule.arrivals[feed].arn
      }
    }
  ]...)
}

resource "aws_sqs_queue" "dead" {
  for_each = var.feeds

  name                      = "${local.name}-${each.key}${local.dead}"
  kms_master_key_id         = var.key_arn
  message_retention_seconds = local.queue.dead_letter_queue.MessageRetentionPeriod

  policy = jsonencode(module.policy.rendered["${each.key}${local.dead}"])

  tags = merge(var.tags, { Name = "${local.name}-${each.key}${local.dead}" })
}

resource "aws_sqs_queue" "arrivals" {
  for_each = var.feeds

  name                       = "${local.name}-${each.key}"
  kms_master_key_id          = var.key_arn
  message_retention_seconds  = local.queue.queue.MessageRetentionPeriod
  visibility_timeout_seconds = local.queue.queue.VisibilityTimeout

  policy = jsonencode(module.policy.rendered[each.key])

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = local.queue.max_receive_count
  })

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_cloudwatch_event_rule" "arrivals" {
  for_each = var.feeds

  name        = "${local.name}-${each.key}"
  description = "Files that land under ${each.value.prefix}"

  event_pattern = jsonencode(module.pattern.rendered[each.key])

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_cloudwatch_event_target" "arrivals" {
  for_each = var.feeds

  rule      = aws_cloudwatch_event_rule.arrivals[each.key].name
  target_id = "queue"
  arn       = aws_sqs_queue.arrivals[each.key].arn

  dead_letter_config {
    arn = aws_sqs_queue.dead[each.key].arn
  }
}
