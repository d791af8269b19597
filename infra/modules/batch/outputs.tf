output "job_queue" {
  description = "The queue that jobs are submitted to: name, arn."
  value       = { name = aws_batch_job_queue.files.name, arn = aws_batch_job_queue.files.arn }
}

output "job_definitions" {
  description = "Feed => its job definition's name."
  value       = { for feed, definition in aws_batch_job_definition.feed : feed => definition.name }
}

output "job_definition_arn_pattern" {
  description = "ARN of all job definitions, with * for feed and revision."
  value = join(":", [
    "arn", data.aws_partition.current.partition, "batch", var.region, data.aws_caller_identity.current.account_id, "job-definition/${local.name}-*",
  ])
}

output "job_definition_prefix" {
  description = "What the name of each feed's job definition begins with; it ends with the feed's name."
  value       = "${local.name}-"
}

output "log_group" {
  description = "Where the jobs' logs go: name, arn."
  value       = { name = aws_cloudwatch_log_group.jobs.name, arn = aws_cloudwatch_log_group.jobs.arn }
}

output "security_group_id" {
  description = "The jobs' security group."
  value       = aws_security_group.jobs.id
}
