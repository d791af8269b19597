# The whole with MWAA and CI in another partition of AWS, against a provider that only pretends.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["cn-north-1a", "cn-north-1b", "cn-north-1c"] }
  }
  mock_data "aws_region" {
    defaults = { name = "cn-north-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws-cn:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/mocked" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws-cn:sns:cn-north-1:123456789012:mocked" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws-cn:sqs:cn-north-1:123456789012:mocked", url = "https://sqs.cn-north-1.amazonaws.com/123456789012/mocked" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws-cn:events:cn-north-1:123456789012:rule/mocked" }
  }
  mock_resource "aws_batch_scheduling_policy" {
    defaults = { arn = "arn:aws-cn:batch:cn-north-1:123456789012:scheduling-policy/mocked" }
  }
  mock_resource "aws_batch_compute_environment" {
    defaults = { arn = "arn:aws-cn:batch:cn-north-1:123456789012:compute-environment/mocked" }
  }
  mock_resource "aws_batch_job_queue" {
    defaults = { arn = "arn:aws-cn:batch:cn-north-1:123456789012:job-queue/mocked" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws-cn:s3:::mocked" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws-cn:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:mocked" }
  }
}

variables {
  region     = "cn-north-1"
  res_prefix = "acme-files-test"
  mwaa       = { plugins_zip = "../requirements.txt" }
  ci         = { repository = "acme/files" }
}

run "china" {
  assert {
    condition = alltrue([
      for document in concat(values(output.policies), [output.settings, output.key_policy]) :
      !strcontains(document, "arn:aws:")
    ]) && strcontains(output.policies.airflow, "arn:aws-cn:batch:") && strcontains(output.key_policy, "arn:aws-cn:iam:")
    error_message = "Every ARN is the partition's."
  }

  assert {
    condition     = strcontains(output.key_policy, "\"logs.cn-north-1.amazonaws.com.cn\"") && strcontains(output.policies.airflow, "\"sns.cn-north-1.amazonaws.com.cn\"")
    error_message = "Services' own names are the partition's."
  }
}
