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
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables {
  res_prefix                 = "acme"
  key_arn                    = "arn:aws:kms:eu-west-1:123456789012:key/1"
  region                     = "eu-west-1"
  namespace                  = "filebatch"
  new_files_bucket_arn       = "arn:aws:s3:::new"
  results_bucket_arns        = { orders = "arn:aws:s3:::results" }
  feeds                      = { orders = { prefix = "from/shops/orders/" } }
  ledger_arn                 = "arn:aws:dynamodb:eu-west-1:123456789012:table/ledger"
  queue_arn_pattern          = "arn:aws:sqs:eu-west-1:123456789012:acme-events-*"
  topic_arns                 = ["arn:aws:sns:eu-west-1:123456789012:developers"]
  job_queue_arn              = "arn:aws:batch:eu-west-1:123456789012:job-queue/files"
  job_definition_arn_pattern = "arn:aws:batch:eu-west-1:123456789012:job-definition/acme-batch-*"
  log_group_arn              = "arn:aws:logs:eu-west-1:123456789012:log-group:jobs"
  repository_arn             = "arn:aws:ecr:eu-west-1:123456789012:repository/worker"
}

run "images_of_feeds" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    images = [
      "210987654321.dkr.ecr.eu-central-1.amazonaws.com/team/parser:3",
      "210987654321.dkr.ecr.eu-central-1.amazonaws.com/*",
      "210987654321.dkr.ecr.eu-central-1.amazonaws.com/te?m/parser:3",
      "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/team/reader",
      "public.ecr.aws/docker/library/python:3.12",
    ]
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(output.policies.execution).Statement : statement.Resource if statement.Sid == "PullImages"
      ])) == toset([
      "arn:aws:ecr:eu-west-1:123456789012:repository/worker",
      "arn:aws:ecr:eu-central-1:210987654321:repository/team/parser",
      "arn:aws:ecr:cn-north-1:210987654321:repository/team/reader",
    ])
    error_message = "A feed's own image may be pulled, and what it is not the whole name of may not."
  }
}

run "long_names" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    res_prefix = "acme-files-production-west"
    feeds = {
      a-feed-whose-name-has-forty-characters-a = { prefix = "a/" }
      a-feed-whose-name-has-forty-characters-b = { prefix = "b/" }
    }
    results_bucket_arns = {
      a-feed-whose-name-has-forty-characters-a = "arn:aws:s3:::results"
      a-feed-whose-name-has-forty-characters-b = "arn:aws:s3:::results"
    }
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : length(role.name) <= 64]) && length(toset([for role in aws_iam_role.this : role.name])) == 4
    error_message = "IAM takes the names, and each role has its own."
  }
}

run "refuses_prefix_that_is_a_pattern" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    feeds = { orders = { prefix = "*/" } }
  }

  expect_failures = [var.feeds]
}

run "oidc_of_the_account" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    ci = { repository = "acme/files", oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && length(aws_iam_role.deploy) == 1
    error_message = "The account's provider is used where there is one."
  }

  assert {
    condition     = strcontains(aws_iam_role.deploy[0].assume_role_policy, "repo:acme/files:ref:refs/heads/main")
    error_message = "Only the named branch may deploy."
  }

  assert {
    condition     = length(aws_iam_role_policy_attachment.deploy) == 0
    error_message = "It changes no infrastructure unless a policy is named that lets it."
  }
}

run "airflow_is_whom_the_account_lets" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    airflow_principals = ["arn:aws:iam::123456789012:role/airflow"]
  }

  assert {
    condition     = strcontains(aws_iam_role.this["airflow"].assume_role_policy, "role/airflow") && !strcontains(aws_iam_role.this["airflow"].assume_role_policy, ":root")
    error_message = "Where principals are named, nobody else may assume the role."
  }
}

run "files_under_a_key_can_be_read" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    new_files_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/landing"
  }

  assert {
    condition = [
      for statement in jsondecode(output.policies["job-orders"]).Statement : [statement.Resource, statement.Condition.StringEquals["kms:ViaService"]]
      if statement.Sid == "ReadEncryptedFiles"
    ] == [["arn:aws:kms:eu-west-1:123456789012:key/landing", "s3.eu-west-1.amazonaws.com"]]
    error_message = "A worker decrypts new files, through S3 alone."
  }
}

run "what_starts_containers_is_trusted_without_condition" {
  command = plan

  module {
    source = "./modules/iam"
  }

  assert {
    condition = (
      !can(jsondecode(aws_iam_role.this["execution"].assume_role_policy).Statement[0].Condition)
      && jsondecode(aws_iam_role.this["job-orders"].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    )
    error_message = "The account is a condition where AWS documents that it is named: for the job's role."
  }
}

run "refuses_bad_values_of_keys" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    new_files_key_arn = "alias/landing"
  }

  expect_failures = [var.new_files_key_arn]
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    airflow_principals = ["airflow"]
    ci                 = { repository = "files" }
  }

  expect_failures = [var.airflow_principals, var.ci]
}

run "refuses_bad_values_2" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    ci = { repository = "acme/files", refs = [] }
  }

  expect_failures = [var.ci]
}

run "refuses_bad_values_3" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    ci = { repository = "acme/files", refs = ["*"] }
  }

  expect_failures = [var.ci]
}

run "a_feed_may_have_a_bucket_of_results_of_its_own" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    feeds               = { orders = { prefix = "orders/" }, secret = { prefix = "secret/" } }
    results_bucket_arns = { orders = "arn:aws:s3:::results", secret = "arn:aws:s3:::vault" }
  }

  assert {
    condition = alltrue([
      for name, bucket in { orders = "results", secret = "vault" } : toset([
        for found in flatten([for statement in jsondecode(aws_iam_role_policy.this["job-${name}"].policy).Statement : statement.Resource]) :
        split("/", found)[0] if startswith(found, "arn:aws:s3:::") && !startswith(found, "arn:aws:s3:::new")
      ]) == toset(["arn:aws:s3:::${bucket}"])
    ])
    error_message = "Each feed's workers reach the bucket of their own results and no other."
  }

  assert {
    condition = alltrue([
      for bucket in ["results", "vault"] : strcontains(aws_iam_role_policy.this["airflow"].policy, "arn:aws:s3:::${bucket}/manifests/*")
    ])
    error_message = "Airflow conducts the feeds of both."
  }
}
