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

run "results_are_kept" {
  module {
    source = "./modules/storage"
  }

  variables {
    new_files = { expire_days = 400 }
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.this["results"].rule :
      length(rule.expiration) == 0 || rule.filter[0].prefix == "manifests/"
    ])
    error_message = "Only manifests expire in the bucket of results."
  }

  assert {
    condition     = aws_s3_bucket_notification.new_files.eventbridge
    error_message = "New files are told to EventBridge."
  }
}

run "what_workers_cannot_read_is_refused" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition = length([
      for each in jsondecode(aws_s3_bucket_policy.this["new-files"].policy).Statement :
      each if contains(["NoKeysOfUploaders", "NoOtherEncryption", "NothingArchived"], each.Sid) && each.Effect == "Deny"
    ]) == 3
    error_message = "Nobody uploads what a worker can't read."
  }

  assert {
    condition     = length(jsondecode(aws_s3_bucket_policy.this["results"].policy).Statement) == 1
    error_message = "The rule is for new files alone."
  }
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    new_files = { noncurrent_days = 7 }
    results   = { manifest_days = 1 }
  }

  expect_failures = [var.new_files, var.results]
}

run "refuses_bad_values_2" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    new_files = { expire_days = 7 }
    results   = { noncurrent_days = 0 }
  }

  expect_failures = [var.new_files, var.results]
}

run "refuses_bad_values_3" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    new_files = { uploaders = ["partner"] }
  }

  expect_failures = [var.new_files]
}
