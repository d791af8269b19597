output "role_arns" {
  description = "ARNs of the roles execution, airflow, and job-FEED of each feed."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}

output "deploy_role_arn" {
  description = "The role of CI, or null."
  value       = try(aws_iam_role.deploy[0].arn, null)
}

output "policies" {
  description = "Role => its policy as rendered JSON, for the check against recorded calls."
  value = merge(
    { for name, policy in aws_iam_role_policy.this : name => policy.policy },
    { for policy in aws_iam_role_policy.deploy : "deploy" => policy.policy },
  )
}
