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
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mocked" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/mocked" }
  }
}

variables {
  res_prefix       = "acme"
  key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/1"
  new_files_bucket = "files"
  feeds            = { orders = { prefix = "orders/" }, orders-dead = { prefix = "orders-dead/" } }
}

run "feed" {
  module {
    source = "./modules/events"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.arrivals["orders"].event_pattern).detail.object.key == [{ prefix = "orders/" }]
    error_message = "The rule listens to the feed's prefix."
  }

  assert {
    condition = (
      jsondecode(aws_sqs_queue.arrivals["orders"].redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead["orders"].arn
      && aws_sqs_queue.dead["orders"].message_retention_seconds == 1209600
      && aws_cloudwatch_event_target.arrivals["orders"].dead_letter_config[0].arn == aws_sqs_queue.dead["orders"].arn
    )
    error_message = "What can't be delivered or read is kept for 14 days."
  }

  assert {
    condition = length(distinct([
      for queue in concat(values(aws_sqs_queue.arrivals), values(aws_sqs_queue.dead)) : queue.name
    ])) == 4
    error_message = "A feed's queue is no other feed's dead-letter queue, whatever feeds are called."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.arrivals["orders"].policy).Statement[0].Resource == "arn:aws:sqs:eu-west-1:123456789012:acme-events-orders"
    error_message = "The policy names its own queue."
  }
}
