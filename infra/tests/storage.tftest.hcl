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

run "who_uploads_where" {
  module {
    source = "./modules/storage"
  }

  variables {
    prefixes = { orders = "orders/", returns = "from/shops/returns/", weather = "weather/" }
    new_files = {
      uploaders = {
        "arn:aws:iam::210987654321:role/partner-upload" = ["orders", "returns"]
        "arn:aws:iam::310987654321:root"                = ["weather"]
      }
    }
  }

  assert {
    condition = {
      for statement in jsondecode(aws_s3_bucket_policy.this["new-files"].policy).Statement :
      statement.Principal.AWS => toset([for arn in statement.Resource : trimprefix(arn, aws_s3_bucket.this["new-files"].arn)])
      if statement.Effect == "Allow"
      } == {
      "arn:aws:iam::210987654321:role/partner-upload" = toset(["/orders/*", "/from/shops/returns/*"])
      "arn:aws:iam::310987654321:root"                = toset(["/weather/*"])
    }
    error_message = "Each uploader writes below the prefixes of its own feeds, and nowhere else."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_s3_bucket_policy.this["new-files"].policy).Statement : statement.Action if statement.Effect == "Allow"
    ])) == toset(["s3:AbortMultipartUpload", "s3:PutObject"])
    error_message = "Uploaders read and delete nothing."
  }

  assert {
    condition     = length([for statement in jsondecode(aws_s3_bucket_policy.this["results"].policy).Statement : statement if statement.Effect == "Allow"]) == 0
    error_message = "Nobody is let into the results by the bucket's policy."
  }
}

run "refuses_uploader_that_is_no_principal" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    prefixes  = { orders = "orders/" }
    new_files = { uploaders = { "partner" = ["orders"] } }
  }

  expect_failures = [var.new_files]
}

run "refuses_wildcard_uploader" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    prefixes  = { orders = "orders/" }
    new_files = { uploaders = { "arn:aws:iam::210987654321:role/*" = ["orders"] } }
  }

  expect_failures = [var.new_files]
}

run "refuses_uploader_of_nothing" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    new_files = { uploaders = { "arn:aws:iam::210987654321:role/partner" = [] } }
  }

  expect_failures = [var.new_files]
}

run "refuses_uploader_of_unknown_feed" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    prefixes  = { orders = "orders/" }
    new_files = { uploaders = { "arn:aws:iam::210987654321:role/partner" = ["orders", "invoices"] } }
  }

  expect_failures = [aws_s3_bucket_policy.this]
}

run "refuses_prefix_that_is_a_pattern" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    prefixes = { orders = "*/" }
  }

  expect_failures = [var.prefixes]
}
