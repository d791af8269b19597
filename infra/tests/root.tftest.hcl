# The whole, planned and applied against a provider that only pretends.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mocked" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:mocked" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mocked", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/mocked" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/mocked" }
  }
  mock_resource "aws_batch_scheduling_policy" {
    defaults = { arn = "arn:aws:batch:eu-west-1:123456789012:scheduling-policy/mocked" }
  }
  mock_resource "aws_batch_compute_environment" {
    defaults = { arn = "arn:aws:batch:eu-west-1:123456789012:compute-environment/mocked" }
  }
  mock_resource "aws_batch_job_queue" {
    defaults = { arn = "arn:aws:batch:eu-west-1:123456789012:job-queue/mocked" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mocked" }
  }
}

variables {
  res_prefix = "acme-files-test"
}

run "existing_airflow" {
  assert {
    condition     = jsondecode(output.settings).environment == "acme-files-test" && jsondecode(output.settings).region == "eu-west-1"
    error_message = "The settings name environment and region."
  }

  assert {
    condition = (
      keys(module.events.queues) == [for file in sort(fileset("../dags/feeds", "*.yaml")) : trimsuffix(file, ".yaml")]
      && keys(module.batch.job_definitions) == keys(module.events.queues)
    )
    error_message = "Each feed file has a queue and a job definition."
  }

  assert {
    condition = alltrue([
      for feed, definition in module.batch.job_definitions :
      definition == "${jsondecode(output.settings).job_definition_prefix}${feed}"
    ])
    error_message = "The settings name no feed, so that a new one changes nothing in them."
  }

  assert {
    condition     = output.airflow_bucket == null && output.webserver_url == null && output.deploy_role_arn == null
    error_message = "Without mwaa and ci there is neither."
  }

  assert {
    condition     = toset(keys(output.role_arns)) == toset(["airflow", "execution", "job-tables", "job-weather"])
    error_message = "A role each."
  }

  assert {
    condition     = alltrue([for key in ["tables/no-run", "weather/failed-files"] : contains(keys(output.alarm_names), key)])
    error_message = "Alarms for each feed."
  }
}

run "another_environment_of_the_account" {
  variables {
    res_prefix = "acme-files-prod"
  }

  assert {
    condition = (
      jsondecode(output.settings).namespace == "filebatch/acme-files-prod"
      && jsondecode(run.existing_airflow.settings).namespace == "filebatch/acme-files-test"
    )
    error_message = "Each environment has metrics of its own."
  }

  assert {
    condition = alltrue([
      for role in ["airflow", "job-tables"] : strcontains(output.policies[role], "\"filebatch/acme-files-prod\"")
      && !strcontains(output.policies[role], "acme-files-test")
    ])
    error_message = "No role publishes into another environment's namespace."
  }

  assert {
    condition     = length(setintersection(values(output.alarm_names), values(run.existing_airflow.alarm_names))) == 0
    error_message = "No alarm has another environment's name."
  }
}

run "existing_bucket_and_keys" {
  variables {
    key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/messages"
    new_files = { existing = "acme-landing", key_arn = "arn:aws:kms:eu-west-1:123456789012:key/landing" }
  }

  assert {
    condition     = jsondecode(output.settings).buckets.new_files == "acme-landing"
    error_message = "Files are taken from the bucket that is there."
  }

  assert {
    condition = (
      strcontains(output.policies.airflow, "key/messages") && strcontains(output.policies["job-tables"], "key/landing")
      && !strcontains(output.policies.airflow, "key/mocked")
    )
    error_message = "The keys that are there are used."
  }
}

run "mwaa_and_ci" {
  variables {
    mwaa = { plugins_zip = "../requirements.txt" }
    ci   = { repository = "acme/files" }
  }

  assert {
    condition     = output.airflow_bucket == "acme-files-test-storage-airflow" && output.deploy_role_arn != null
    error_message = "MWAA's bucket and CI's role are made."
  }

  assert {
    condition = length(setintersection(
      toset([for statement in jsondecode(output.policies.airflow).Statement : statement.Sid]),
      toset(["MwaaCelery", "MwaaCode", "MwaaSettings", "SubmitJobs"]),
    )) == 4
    error_message = "Airflow's role is MWAA's too."
  }
}

run "existing_network" {
  command = plan

  variables {
    network = { existing = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-1", "subnet-2"] } }
  }
}

run "nat" {
  command = plan

  variables {
    network = { egress = "nat", zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"], single_nat = false }
    batch   = { max_vcpus = 16, spot_max_vcpus = 64 }
  }
}

run "refuses_bad_values" {
  command = plan

  variables {
    region      = "Ireland"
    res_prefix  = "Acme_"
    image_tag   = "latest"
    runbook_url = "docs/runbook.md#section"

    metric_dimensions = { Feed = "orders" }
  }

  expect_failures = [var.region, var.res_prefix, var.image_tag, var.runbook_url, var.metric_dimensions]
}
