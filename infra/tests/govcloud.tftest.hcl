# The whole with MWAA and CI in another partition of AWS, against a provider that only pretends.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-gov-west-1a", "us-gov-west-1b", "us-gov-west-1c"] }
  }
  mock_data "aws_region" {
    defaults = { name = "us-gov-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws-us-gov", dns_suffix = "amazonaws.com" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws-us-gov:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mocked" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:mocked" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:mocked", url = "https://sqs.us-gov-west-1.amazonaws.com/123456789012/mocked" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/mocked" }
  }
  mock_resource "aws_batch_scheduling_policy" {
    defaults = { arn = "arn:aws-us-gov:batch:us-gov-west-1:123456789012:scheduling-policy/mocked" }
  }
  mock_resource "aws_batch_compute_environment" {
    defaults = { arn = "arn:aws-us-gov:batch:us-gov-west-1:123456789012:compute-environment/mocked" }
  }
  mock_resource "aws_batch_job_queue" {
    defaults = { arn = "arn:aws-us-gov:batch:us-gov-west-1:123456789012:job-queue/mocked" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws-us-gov:s3:::mocked" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws-us-gov:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:mocked" }
  }
}

variables {
  region     = "us-gov-west-1"
  res_prefix = "acme-files-test"
  mwaa       = { plugins_zip = "../requirements.txt" }
  ci         = { repository = "acme/files" }
}

run "govcloud" {
  assert {
    condition = alltrue([
      for document in concat(values(output.policies), [output.settings, output.key_policy]) :
      !strcontains(document, "arn:aws:")
    ]) && strcontains(output.policies.airflow, "arn:aws-us-gov:batch:") && strcontains(output.key_policy, "arn:aws-us-gov:iam:")
    error_message = "Every ARN is the partition's."
  }

  assert {
    condition     = strcontains(output.key_policy, "\"logs.us-gov-west-1.amazonaws.com\"") && strcontains(output.policies.airflow, "\"sns.us-gov-west-1.amazonaws.com\"")
    error_message = "Services' own names are the partition's."
  }
}
