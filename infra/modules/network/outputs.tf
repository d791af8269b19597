output "vpc_id" {
  description = "The network."
  value       = local.create ? aws_vpc.this[0].id : var.existing.vpc_id
}

output "private_subnet_ids" {
  description = "Its private subnets."
  value       = local.create ? [for subnet in aws_subnet.private : subnet.id] : var.existing.subnet_ids
}
