output "repository_url" {
  description = "Where the worker's image is pushed."
  value       = aws_ecr_repository.worker.repository_url
}

output "repository_arn" {
  description = "ARN of the worker's repository."
  value       = aws_ecr_repository.worker.arn
}
