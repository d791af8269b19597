output "messages_key_arn" {
  description = "The key of queues, topics, logs and settings."
  value       = var.existing == null ? aws_kms_key.messages[0].arn : var.existing
}

output "messages_key_policy" {
  description = "The key's policy; an existing key's must allow as much."
  value       = jsonencode(local.policy)
}
