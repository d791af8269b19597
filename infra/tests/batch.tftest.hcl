mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_resource "aws_batch_scheduling_policy" {
    defaults = { arn = "arn:aws:batch:eu-west-1:123456789012:scheduling-policy/mocked" }
  }
  mock_resource "aws_batch_compute_environment" {
    defaults = { arn = "arn:aws:batch:eu-west-1:123456789012:compute-environment/mocked" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
}

variables {
  res_prefix         = "acme"
  key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/1"
  region             = "eu-west-1"
  namespace          = "filebatch"
  ledger             = "ledger"
  results_buckets    = { for feed in ["arm", "orders"] : feed => "results" }
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1"]
  job_role_arns      = { for feed in ["arm", "orders"] : feed => "arn:aws:iam::123456789012:role/job-${feed}" }
  execution_role_arn = "arn:aws:iam::123456789012:role/execution"
  feeds              = { orders = { image = "worker:1", vcpu = 1, memory = 2048, disk = 30, timeout = 600 } }
}

run "spot_comes_first" {
  module {
    source = "./modules/batch"
  }

  variables {
    spot_max_vcpus = 8
  }

  assert {
    condition = (
      aws_batch_job_queue.files.compute_environment_order[0].compute_environment == aws_batch_compute_environment.this["spot"].arn
      && aws_batch_job_queue.files.compute_environment_order[1].compute_environment == aws_batch_compute_environment.this["fargate"].arn
    )
    error_message = "Spot is tried before Fargate."
  }

  assert {
    condition = toset([for action in aws_batch_job_queue.files.job_state_time_limit_action : action.reason]) == toset([
      "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
      "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
      "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    ])
    error_message = "Whatever holds up the head of the queue is cancelled in the end."
  }
}

run "feeds_have_shares" {
  module {
    source = "./modules/batch"
  }

  assert {
    condition     = aws_batch_job_queue.files.scheduling_policy_arn == aws_batch_scheduling_policy.shares.arn
    error_message = "The queue has shares; it can't get them later."
  }

  assert {
    condition     = aws_batch_scheduling_policy.shares.fair_share_policy[0].share_decay_seconds == 3600
    error_message = "What a feed used is forgotten after about an hour."
  }
}

run "job_definition" {
  module {
    source = "./modules/batch"
  }

  assert {
    condition = (
      jsondecode(aws_batch_job_definition.feed["orders"].container_properties).readonlyRootFilesystem
      && jsondecode(aws_batch_job_definition.feed["orders"].container_properties).ephemeralStorage.sizeInGiB == 30
      && jsondecode(aws_batch_job_definition.feed["orders"].container_properties).jobRoleArn == "arn:aws:iam::123456789012:role/job-orders"
      && aws_batch_job_definition.feed["orders"].timeout[0].attempt_duration_seconds == 600
    )
    error_message = "What the feed says is what the container gets."
  }

  assert {
    condition = (
      length(aws_batch_job_definition.feed["orders"].retry_strategy[0].evaluate_on_exit)
      == length(jsondecode(file("../plugins/filebatch/core/failures.json")).evaluate_on_exit)
      && reverse(aws_batch_job_definition.feed["orders"].retry_strategy[0].evaluate_on_exit)[0].on_reason == "*"
    )
    error_message = "The retry rules are those of failures.json, and the last one matches everything."
  }
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    subnet_ids         = []
    max_vcpus          = 0
    spot_max_vcpus     = -1
    log_retention_days = 42
  }

  expect_failures = [var.subnet_ids, var.max_vcpus, var.spot_max_vcpus, var.log_retention_days]
}

run "refuses_bad_values_2" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    max_vcpus = 1.5
  }

  expect_failures = [var.max_vcpus]
}

run "an_image_meets_the_processors_it_was_built_for" {
  module {
    source = "./modules/batch"
  }

  variables {
    feeds = {
      orders = { image = "worker:1", vcpu = 1, memory = 2048, disk = 30, timeout = 600 }
      arm    = { image = "worker:1", architecture = "ARM64", vcpu = 1, memory = 2048, disk = 30, timeout = 600 }
    }
  }

  assert {
    condition = { for feed, definition in aws_batch_job_definition.feed :
      feed => jsondecode(definition.container_properties).runtimePlatform
      } == {
      orders = { operatingSystemFamily = "LINUX", cpuArchitecture = "X86_64" }
      arm    = { operatingSystemFamily = "LINUX", cpuArchitecture = "ARM64" }
    }
    error_message = "A feed's architecture is its container's."
  }

  assert {
    condition     = jsondecode(aws_batch_job_definition.feed["orders"].container_properties).user == "1000:1000"
    error_message = "A job runs as whom worker/Dockerfile names."
  }
}

run "metrics_have_the_deployments_dimensions_too" {
  module {
    source = "./modules/batch"
  }

  variables {
    metric_dimensions = { Team = "files", Environment = "prod" }
  }

  assert {
    condition = contains(
      jsondecode(aws_batch_job_definition.feed["orders"].container_properties).environment,
      { name = "FILEBATCH_DIMENSIONS", value = "Environment=prod,Team=files" },
    )
    error_message = "A worker is told them."
  }
}

run "refuses_bad_values_3" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    metric_dimensions = { Team = "files,Feed=other" }
  }

  expect_failures = [var.metric_dimensions]
}

run "refuses_bad_values_4" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    feeds = { orders = { image = "worker:1", architecture = "arm64", vcpu = 1, memory = 2048, disk = 30, timeout = 600 } }
  }

  expect_failures = [var.feeds]
}
