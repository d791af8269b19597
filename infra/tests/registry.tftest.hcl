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
    source = "./modules/registry"
  }

  assert {
    condition = (
      aws_ecr_repository.worker.image_tag_mutability == "IMMUTABLE"
      && aws_ecr_repository.worker.image_scanning_configuration[0].scan_on_push
      && !aws_ecr_repository.worker.force_delete
    )
    error_message = "A tag means one image, images are scanned and kept."
  }
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/registry"
  }

  variables {
    keep_images = 1
  }

  expect_failures = [var.keep_images]
}
