# A role each for the jobs of a feed, for what starts jobs, for Airflow and for CI. Every statement has a name, and a test holds it
# to the calls that were recorded while the whole thing ran: one that nothing needs fails (tests/infra).

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name       = "${var.res_prefix}-iam"
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  dns_suffix = data.aws_partition.current.dns_suffix

  metrics_only = { StringEquals = { "cloudwatch:namespace" = var.namespace } }

  trust = merge({ for feed in keys(var.feeds) : "job-${feed}" => local.job_trust }, {
    execution = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
    airflow = concat(
      var.mwaa == null ? [] : [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = ["airflow-env.amazonaws.com", "airflow.amazonaws.com"] }
      }],
      length(var.airflow_principals) == 0 ? [] : [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = var.airflow_principals }
      }],
      # Whoever administers this account's IAM decides.
      var.mwaa == null && length(var.airflow_principals) == 0 ? [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
      }] : [],
    )
  })

  # ECS names the account when it assumes a task's role; that it does for the execution role, AWS documents nowhere.
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
  own_tasks = { StringEquals = { "aws:SourceAccount" = local.account } }

  policies = merge({ for feed, statements in local.job_statements : "job-${feed}" => concat(statements, local.job_key_statements) }, {
    execution = local.execution_statements
    airflow   = concat(local.airflow_statements, local.mwaa_statements)
  })

  # A role's name has at most 64 characters; what is cut off is in the hash.
  role_names = {
    for role in keys(local.trust) : role => (
      length("${local.name}-${role}") <= 64
      ? "${local.name}-${role}"
      : "${substr("${local.name}-${role}", 0, 55)}-${substr(sha256(role), 0, 8)}"
    )
  }
}

resource "aws_iam_role" "this" {
  for_each = local.trust

  name               = local.role_names[each.key]
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = each.value })

  tags = merge(var.tags, { Name = local.role_names[each.key] })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = local.role_names[each.key]
  role   = aws_iam_role.this[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}
