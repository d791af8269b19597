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
      rule.filter[0].prefix == "manifests/" || alltrue([for expiration in rule.expiration : try(expiration.days, 0) == 0])
    ])
    error_message = "Only manifests expire in the bucket of results."
  }

  assert {
    condition     = aws_s3_bucket_notification.new_files["new-files"].eventbridge
    error_message = "New files are told to EventBridge."
  }
}

run "markers_of_what_is_gone_go" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue([
      for configuration in aws_s3_bucket_lifecycle_configuration.this :
      anytrue([for rule in configuration.rule : rule.expiration[0].expired_object_delete_marker if rule.id == "tidy"])
    ])
    error_message = "In each bucket expired delete markers are removed."
  }
}

run "existing_bucket" {
  module {
    source = "./modules/storage"
  }

  variables {
    new_files = { existing = "acme-landing" }
  }

  override_data {
    target = data.aws_s3_bucket.existing["acme-landing"]
    values = { arn = "arn:aws:s3:::acme-landing" }
  }

  assert {
    condition     = output.new_files == { name = "acme-landing", arn = "arn:aws:s3:::acme-landing" }
    error_message = "Files are looked for where they land."
  }

  assert {
    condition = (
      length(aws_s3_bucket_notification.new_files) == 0
      && alltrue([for made in [aws_s3_bucket.this, aws_s3_bucket_policy.this, aws_s3_bucket_lifecycle_configuration.this] : !contains(keys(made), "new-files")])
    )
    error_message = "Its notifications, policy and lifecycle are left alone."
  }
}

run "refuses_to_rule_over_an_existing_bucket" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    new_files = { existing = "acme-landing", expire_days = 30 }
  }

  expect_failures = [var.new_files]
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
