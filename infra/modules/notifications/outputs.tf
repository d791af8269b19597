output "topic_arns" {
  description = "ARNs of the topics: stakeholders, developers."
  value       = { for name, topic in aws_sns_topic.this : name => topic.arn }
}
