output "queues" {
  description = "Feed => its queue: name, url, arn."
  value = {
    for feed, queue in aws_sqs_queue.arrivals : feed => { name = queue.name, url = queue.url, arn = queue.arn }
  }
}

output "dead_letter_queues" {
  description = "Feed => its dead-letter queue: name, url, arn."
  value = {
    for feed, queue in aws_sqs_queue.dead : feed => { name = queue.name, url = queue.url, arn = queue.arn }
  }
}

output "queue_prefix" {
  description = "What the URL of each feed's queue begins with; it ends with the feed's name."
  value       = trimsuffix(values(aws_sqs_queue.arrivals)[0].url, keys(aws_sqs_queue.arrivals)[0])
}

output "queue_arn_pattern" {
  description = "ARN of all queues, with * for the feed."
  value       = "${local.arn_prefix}-*"
}
