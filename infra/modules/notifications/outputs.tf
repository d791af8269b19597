output "feed_topic_arns" {
  description = "Feed => ARN of its own topic, for feeds that have one."
  value       = { for feed, topic in aws_sns_topic.feed : feed => topic.arn }
}

output "topic_arns" {
  description = "ARNs of the topics: stakeholders, developers."
  value       = { for name, topic in aws_sns_topic.this : name => topic.arn }
}
