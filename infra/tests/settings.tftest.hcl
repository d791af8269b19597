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
  key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/1"
  variables_prefix = "acme/variables"
  settings         = "{}"
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/settings"
  }

  variables {
    variables_prefix     = "acme/variables/"
    settings             = "{"
    recovery_window_days = 3
  }

  expect_failures = [var.variables_prefix, var.settings, var.recovery_window_days]
}
