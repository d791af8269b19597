output "secret_arn" {
  description = "The secret that holds the Variable."
  value       = aws_secretsmanager_secret.filebatch.arn
}
