output "table_name" {
  description = "The ledger's table."
  value       = aws_dynamodb_table.files.name
}

output "table_arn" {
  description = "ARN of the ledger's table."
  value       = aws_dynamodb_table.files.arn
}
