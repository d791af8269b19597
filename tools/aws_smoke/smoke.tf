# What `make aws-smoke` adds to the root module: a queue that hears what the topics say.

resource "aws_sqs_queue" "smoke" {
  name                    = "${var.res_prefix}-smoke"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_policy" "smoke" {
  queue_url = aws_sqs_queue.smoke.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.smoke.arn
      Condition = { ArnEquals = { "aws:SourceArn" = values(module.notifications.topic_arns) } }
    }]
  })
}

resource "aws_sns_topic_subscription" "smoke" {
  for_each = module.notifications.topic_arns

  topic_arn = each.value
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.smoke.arn
}

output "smoke_queue" {
  value = aws_sqs_queue.smoke.url
}
