output "messages_key_arn" {
  description = "The key of queues, topics, logs and settings."
  value       = aws_kms_key.messages.arn
}
