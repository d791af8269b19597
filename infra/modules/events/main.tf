# A rule, a queue and a dead-letter queue per feed. The queue is only a doorbell with a memory: the ledger is the truth.

locals {
  name  = "${var.res_prefix}-events"
  queue = jsondecode(file("${path.module}/../../documents/queue.json"))
}

resource "aws_sqs_queue" "dead" {
  for_each = var.feeds

  name                      = "${local.name}-${each.key}-dead"
  kms_master_key_id         = var.key_arn
  message_retention_seconds = local.queue.dead_letter_queue.MessageRetentionPeriod

  tags = merge(var.tags, { Name = "${local.name}-${each.key}-dead" })
}

resource "aws_sqs_queue" "arrivals" {
  for_each = var.feeds

  name                       = "${local.name}-${each.key}"
  kms_master_key_id          = var.key_arn
  message_retention_seconds  = local.queue.queue.MessageRetentionPeriod
  visibility_timeout_seconds = local.queue.queue.VisibilityTimeout

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = local.queue.max_receive_count
  })

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  for_each = var.feeds

  queue_url = aws_sqs_queue.dead[each.key].url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.arrivals[each.key].arn]
  })
}

resource "aws_cloudwatch_event_rule" "arrivals" {
  for_each = var.feeds

  name        = "${local.name}-${each.key}"
  description = "Files that land under ${each.value.prefix}"

  event_pattern = templatefile("${path.module}/../../documents/event-pattern.json", {
    bucket = var.new_files_bucket
    prefix = each.value.prefix
  })

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

resource "aws_sqs_queue_policy" "this" {
  for_each = merge(
    { for feed, queue in aws_sqs_queue.arrivals : feed => { feed = feed, queue = queue } },
    { for feed, queue in aws_sqs_queue.dead : "${feed}-dead" => { feed = feed, queue = queue } },
  )

  queue_url = each.value.queue.url

  policy = templatefile("${path.module}/../../documents/queue-policy.json", {
    queue = each.value.queue.arn
    rule  = aws_cloudwatch_event_rule.arrivals[each.value.feed].arn
  })
}
