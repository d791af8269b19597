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
}

variables {
  res_prefix = "acme"
}

run "defaults" {
  command = plan

  module {
    source = "./modules/ledger"
  }

  assert {
    condition = (
      aws_dynamodb_table.files.billing_mode == "PAY_PER_REQUEST"
      && aws_dynamodb_table.files.deletion_protection_enabled
      && aws_dynamodb_table.files.point_in_time_recovery[0].enabled
      && length(aws_dynamodb_table.files.ttl) == 0
    )
    error_message = "On demand, protected, recoverable, and nothing of it fades."
  }
}
