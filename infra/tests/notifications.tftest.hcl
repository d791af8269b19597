mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:mocked" }
  }
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
  key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/1"
}

run "subscriptions" {
  command = plan

  module {
    source = "./modules/notifications"
  }

  variables {
    stakeholders = ["boss@example.com"]
    developers   = ["dev@example.com", "ops@example.com"]
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 3
    error_message = "Each address is subscribed."
  }
}

run "topics_of_feeds" {
  module {
    source = "./modules/notifications"
  }

  variables {
    feeds = ["orders"]
  }

  assert {
    condition     = { for feed, topic in aws_sns_topic.feed : feed => topic.name } == { orders = "acme-notifications-stakeholders-orders" }
    error_message = "A feed's own topic is the stakeholders' with its name, as settings.py makes it."
  }

  assert {
    condition     = [for statement in jsondecode(aws_sns_topic_policy.this["feed/orders"].policy).Statement : statement.Sid] == ["TlsOnly"]
    error_message = "Nobody but roles that may publishes to a feed's own topic."
  }
}

run "who_may_tell_the_developers" {
  module {
    source = "./modules/notifications"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.this["developers"].policy).Statement : try(statement.Condition, null)
      if statement.Principal == { Service = "events.amazonaws.com" } && statement.Action == "sns:Publish"
    ] == [null]
    error_message = "EventBridge may publish, without a Condition: with one it would deliver nothing."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.this["developers"].policy).Statement : statement.Condition
      if statement.Principal == { Service = "cloudwatch.amazonaws.com" }
    ] == [{ StringEquals = { "aws:SourceAccount" = "123456789012" } }]
    error_message = "Alarms of this account alone."
  }
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/notifications"
  }

  variables {
    stakeholders = ["nobody"]
    developers   = ["a b@example.com"]
  }

  expect_failures = [var.stakeholders, var.developers]
}
