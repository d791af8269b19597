data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name      = "${var.res_prefix}-batch"
  documents = "${path.module}/../../documents"
  queue     = jsondecode(file("${local.documents}/job-queue.json"))
  shares    = jsondecode(file("${local.documents}/scheduling-policy.json")).fairsharePolicy

  # Spot first where it is wanted: Batch goes on to the next environment when the first is full.
  environments = merge(
    var.spot_max_vcpus > 0 ? { spot = { type = "FARGATE_SPOT", max_vcpus = var.spot_max_vcpus } } : {},
    { fargate = { type = "FARGATE", max_vcpus = var.max_vcpus } },
  )
  order = var.spot_max_vcpus > 0 ? ["spot", "fargate"] : ["fargate"]
}

resource "aws_security_group" "jobs" {
  name        = "${local.name}-jobs"
  description = "Containers of jobs: nothing comes in, HTTPS goes out"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${local.name}-jobs" })
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.jobs.id
  description       = "AWS's interfaces"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"

  tags = merge(var.tags, { Name = "${local.name}-jobs-https" })
}

resource "aws_iam_role" "service" {
  name = "${local.name}-service"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "batch.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = merge(var.tags, { Name = "${local.name}-service" })
}

resource "aws_iam_role_policy_attachment" "service" {
  role       = aws_iam_role.service.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AWSBatchServiceRole"
}

resource "aws_batch_compute_environment" "this" {
  for_each = local.environments

  # A new one is made before the old one goes, as a queue needs at least one; so the name can't be fixed.
  compute_environment_name_prefix = "${local.name}-${each.key}-"
  type                            = "MANAGED"
  state                           = "ENABLED"
  service_role                    = aws_iam_role.service.arn

  compute_resources {
    type               = each.value.type
    max_vcpus          = each.value.max_vcpus
    subnets            = var.subnet_ids
    security_group_ids = [aws_security_group.jobs.id]
  }

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })

  lifecycle {
    create_before_destroy = true
  }

  # Without its policy the role could not tidy up, and the environment would stay in DELETING for ever.
  depends_on = [aws_iam_role_policy_attachment.service]
}

# A share per feed, which a job names when it is submitted (plugins/filebatch/runs/jobs.py).
resource "aws_batch_scheduling_policy" "shares" {
  name = "${local.name}-shares"

  fair_share_policy {
    compute_reservation = local.shares.computeReservation
    share_decay_seconds = local.shares.shareDecaySeconds

    dynamic "share_distribution" {
      for_each = local.shares.shareDistribution

      content {
        share_identifier = share_distribution.value.shareIdentifier
        weight_factor    = share_distribution.value.weightFactor
      }
    }
  }

  tags = merge(var.tags, { Name = "${local.name}-shares" })
}

resource "aws_batch_job_queue" "files" {
  # A queue that was made without a policy can't get one: the name says which kind it is, so that another is made.
  name                  = "${local.name}-shared"
  state                 = local.queue.state
  priority              = local.queue.priority
  scheduling_policy_arn = aws_batch_scheduling_policy.shares.arn

  dynamic "compute_environment_order" {
    for_each = local.order

    content {
      order               = compute_environment_order.key
      compute_environment = aws_batch_compute_environment.this[compute_environment_order.value].arn
    }
  }

  # A job that can never start would block all behind it. Only the head of the queue is looked at; the alarm
  # job-stuck-runnable is for the others.
  dynamic "job_state_time_limit_action" {
    for_each = local.queue.jobStateTimeLimitActions

    content {
      reason           = job_state_time_limit_action.value.reason
      state            = job_state_time_limit_action.value.state
      action           = job_state_time_limit_action.value.action
      max_time_seconds = job_state_time_limit_action.value.maxTimeSeconds
    }
  }

  tags = merge(var.tags, { Name = "${local.name}-shared" })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "jobs" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the environment's decision; results and ledger are the record

  name              = "${local.name}-jobs"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn

  tags = merge(var.tags, { Name = "${local.name}-jobs" })
}

locals {
  failures    = jsondecode(file("${path.module}/../../../plugins/filebatch/core/failures.json"))
  definitions = module.definition.rendered

  # Whom the image lets write to /scratch is whom a job must run as.
  scratch_uid = regex("(?m)^ARG SCRATCH_UID=([0-9]+)$", file("${path.module}/../../../worker/Dockerfile"))[0]
}

# The RegisterJobDefinition request, as the local AWS registers it too.
module "definition" {
  source = "../document"

  name = "job-definition"

  text = {
    for feed, container in var.feeds : feed => merge({ architecture = "X86_64" }, container, {
      feed                                                          = feed
      region                                                        = var.region
      namespace                                                     = var.namespace
      dimensions                                                    = join(",", [for name, value in var.metric_dimensions : "${name}=${value}"])
      ledger                                                        = var.ledger
      results_bucket                                                = var.results_buckets[feed]
      job_role                                                      = var.job_role_arns[feed]
      execution_role                                                = var.execution_role_arn
      log_group                                                     = aws_cloudwatch_log_group.jobs.name
      scratch_uid                                                   = local.scratch_uid
    })
  }

  json = {
    for feed in keys(var.feeds) : feed => {
      evaluate_on_exit = jsonencode(local.failures.evaluate_on_exit)
    }
  }
}

resource "aws_batch_job_definition" "feed" {
  for_each = local.definitions

  name                  = "${local.name}-${each.key}"
  type                  = each.value.type
  platform_capabilities = each.value.platformCapabilities
  propagate_tags        = each.value.propagateTags
  container_properties  = jsonencode(each.value.containerProperties)

  retry_strategy {
    attempts = each.value.retryStrategy.attempts

    dynamic "evaluate_on_exit" {
      for_each = each.value.retryStrategy.evaluateOnExit

      content {
        action           = evaluate_on_exit.value.action
        on_exit_code     = try(evaluate_on_exit.value.onExitCode, null)
        on_reason        = try(evaluate_on_exit.value.onReason, null)
        on_status_reason = try(evaluate_on_exit.value.onStatusReason, null)
      }
    }
  }

  timeout {
    attempt_duration_seconds = each.value.timeout.attemptDurationSeconds
  }

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}
