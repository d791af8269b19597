# Alarms and dashboard come from documents that the local AWS reads too: infra/documents.

locals {
  name      = "${var.res_prefix}-observability"
  documents = "${path.module}/../../documents"

  facts = {
    for feed, facts in var.feeds : feed => {
      name              = local.name
      region            = var.region
      feed              = feed
      queue             = facts.queue
      dead_letter_queue = facts.dead_letter_queue
      developers_topic  = var.developers_topic_arn
      runbook           = var.runbook_url
      run_within        = facts.run_within
    }
  }

  # The inside of a JSON string: an input template is JSON, but for the <names> in it, which must not be encoded.
  runbook = trimsuffix(trimprefix(jsonencode(var.runbook_url), "\""), "\"")

  # Which alarms there are must be known before what they point at: so ids come from the document as written. An alarm
  # that requires a field of the feed is made only for feeds that have it.
  wanted = merge([
    for feed, facts in var.feeds : {
      for index, each in jsondecode(file("${local.documents}/alarms.json")) :
      "${feed}/${each.id}" => { feed = feed, index = index, override = try(var.overrides[feed][each.id], null) }
      if try(var.overrides[feed][each.id].enabled, true) && (each.requires == null || contains(facts.has, coalesce(each.requires, "-")))
    }
  ]...)

  alarms = {
    for key, each in local.wanted : key => merge(
      module.alarms.rendered[each.feed][each.index].alarm,
      { for name, value in {
        Period            = try(each.override.period, null)
        EvaluationPeriods = try(each.override.evaluation_periods, null)
        DatapointsToAlarm = try(each.override.evaluation_periods, null)
        Threshold         = try(each.override.threshold, null)
      } : name => value if value != null },
    )
  }
}

module "alarms" {
  source = "../document"

  name = "alarms"
  text = local.facts
}

module "dashboard" {
  source = "../document"

  name = "dashboard"
  text = local.facts
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = each.value.AlarmName
  alarm_description   = each.value.AlarmDescription
  namespace           = each.value.Namespace
  metric_name         = each.value.MetricName
  dimensions          = { for each in each.value.Dimensions : each.Name => each.Value }
  statistic           = each.value.Statistic
  period              = each.value.Period
  evaluation_periods  = each.value.EvaluationPeriods
  datapoints_to_alarm = each.value.DatapointsToAlarm
  threshold           = each.value.Threshold
  comparison_operator = each.value.ComparisonOperator
  treat_missing_data  = each.value.TreatMissingData
  alarm_actions       = each.value.AlarmActions
  ok_actions          = each.value.OKActions

  tags = merge(var.tags, { Name = each.value.AlarmName })
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${local.name}-feeds"
  dashboard_body = jsonencode({ widgets = concat(values(module.dashboard.rendered)...) })
}

module "job_failed" {
  source = "../document"

  name = "job-failed-pattern"
  text = { queue = { job_queue = var.job_queue_arn } }
}

resource "aws_cloudwatch_event_rule" "job_failed" {
  name          = "${local.name}-job-failed"
  description   = "A job failed; children of array jobs are told by their parent"
  event_pattern = jsonencode(module.job_failed.rendered["queue"])

  tags = merge(var.tags, { Name = "${local.name}-job-failed" })
}

resource "aws_cloudwatch_event_target" "job_failed" {
  rule      = aws_cloudwatch_event_rule.job_failed.name
  target_id = "developers"
  arn       = var.developers_topic_arn

  input_transformer {
    input_paths = {
      id     = "$.detail.jobId"
      name   = "$.detail.jobName"
      reason = "$.detail.statusReason"
      time   = "$.time"
    }
    input_template = "\"Batch job <name> (<id>) failed at <time>: <reason>. See ${local.runbook}#job-failed\""
  }
}
