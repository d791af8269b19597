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
  res_prefix           = "acme"
  region               = "eu-west-1"
  namespace            = "filebatch"
  log_group            = "acme-batch-jobs"
  job_queue_arn        = "arn:aws:batch:eu-west-1:123456789012:job-queue/files"
  key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/1"
  developers_topic_arn = "arn:aws:sns:eu-west-1:123456789012:developers"
  runbook_url          = "docs/runbook.md"
  feeds                = { orders = { queue = "orders", dead_letter_queue = "orders_dead", run_within = 2 } }
}

run "alarms" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    feeds = {
      orders = { queue = "orders", dead_letter_queue = "orders_dead", run_within = 2 }
      daily  = { queue = "daily", dead_letter_queue = "daily_dead", run_within = 24, has = ["expected_by"] }
    }
    overrides = {
      daily = { no-run = { period = 86400, evaluation_periods = 1 }, invalid-files = { enabled = false } }
    }
  }

  assert {
    condition = (
      contains(keys(aws_cloudwatch_metric_alarm.this), "daily/expected-file-missing")
      && !contains(keys(aws_cloudwatch_metric_alarm.this), "orders/expected-file-missing")
    )
    error_message = "Only a feed with expected_by expects a file."
  }

  assert {
    condition = (
      one([for query in aws_cloudwatch_metric_alarm.this["daily/no-run"].metric_query : query.metric[0].period if length(query.metric) > 0]) == 86400
      && aws_cloudwatch_metric_alarm.this["daily/no-run"].datapoints_to_alarm == 1
      && one([for query in aws_cloudwatch_metric_alarm.this["orders/no-run"].metric_query : query.metric[0].period if length(query.metric) > 0]) == 3600
      && !contains(keys(aws_cloudwatch_metric_alarm.this), "daily/invalid-files")
    )
    error_message = "A feed may differ from the document."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["orders/no-run"].treat_missing_data == "breaching"
      && one([for query in aws_cloudwatch_metric_alarm.this["orders/no-run"].metric_query : query.expression if query.return_data]) == "FILL(runs, 0)"
    )
    error_message = "Silence is the symptom, and is a number as soon as there is nothing."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      contains(alarm.alarm_actions, "arn:aws:sns:eu-west-1:123456789012:developers") && strcontains(alarm.alarm_description, "docs/runbook.md#")
    ])
    error_message = "Each alarm tells the developers and links the runbook."
  }
}

run "metrics_that_could_not_be_published" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = (
      aws_cloudwatch_log_metric_filter.not_published.log_group_name == "acme-batch-jobs"
      && aws_cloudwatch_log_metric_filter.not_published.metric_transformation[0].name == aws_cloudwatch_metric_alarm.not_published.metric_name
      && aws_cloudwatch_log_metric_filter.not_published.metric_transformation[0].namespace == aws_cloudwatch_metric_alarm.not_published.namespace
      && contains(aws_cloudwatch_metric_alarm.not_published.alarm_actions, "arn:aws:sns:eu-west-1:123456789012:developers")
    )
    error_message = "The alarm watches what is counted in the jobs' log, and tells the developers."
  }
}

run "sixty_feeds" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    feeds = {
      for number in range(60) : format("feed-%02d", number) => {
        queue             = format("feed-%02d", number)
        dead_letter_queue = format("feed-%02d_dead", number)
        run_within        = 2
        has               = number < 10 ? ["expected_by"] : []
      }
    }
  }

  assert {
    condition = (
      length(output.dashboard_names) == 2
      && alltrue([for dashboard in aws_cloudwatch_dashboard.this : length(jsondecode(dashboard.dashboard_body).widgets) <= 500])
      && sum([for dashboard in aws_cloudwatch_dashboard.this : length(jsondecode(dashboard.dashboard_body).widgets)]) == 60 * 9
    )
    error_message = "Each feed is on a dashboard, and no dashboard has more widgets than CloudWatch takes."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 60 * 11 + 10
    error_message = "Eleven alarms a feed, and one more where a file is expected."
  }
}

run "what_could_not_be_told_is_kept" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = (
      aws_sqs_queue.undelivered.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"
      && aws_sqs_queue.undelivered.message_retention_seconds == 1209600
      && length(aws_cloudwatch_event_target.job_failed.dead_letter_config) == 1
      && aws_cloudwatch_metric_alarm.undelivered.dimensions.QueueName == "acme-observability-undelivered"
    )
    error_message = "EventBridge's failures to tell are kept encrypted for 14 days, and alarmed."
  }
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    overrides = { orders = { no-run = { period = 7 } } }
  }

  expect_failures = [var.overrides]
}
