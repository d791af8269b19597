mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  res_prefix = "acme"
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/keys"
  }

  variables {
    deletion_window_days = 6
  }

  expect_failures = [var.deletion_window_days]
}

run "refuses_bad_values_2" {
  command = plan

  module {
    source = "./modules/keys"
  }

  variables {
    deletion_window_days = 31
  }

  expect_failures = [var.deletion_window_days]
}
