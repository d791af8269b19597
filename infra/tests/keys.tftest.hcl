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

run "existing_key" {
  module {
    source = "./modules/keys"
  }

  variables {
    existing = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d"
  }

  assert {
    condition = (
      length(aws_kms_key.messages) == 0 && length(aws_kms_alias.messages) == 0
      && output.messages_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d"
    )
    error_message = "Nothing is made beside a key that is there."
  }

  assert {
    condition = toset(jsondecode(output.messages_key_policy).Statement[*].Sid) == toset([
      "AccountDecidesByIam", "AlarmsDeliver", "EventsDeliver", "LogsOfThisEnvironment",
    ])
    error_message = "What its policy needs is said."
  }
}

run "refuses_an_alias" {
  command = plan

  module {
    source = "./modules/keys"
  }

  variables {
    existing = "alias/messages"
  }

  expect_failures = [var.existing]
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
