# Alarms and dashboard come from documents that the local AWS reads too: infra/documents.

locals {
  name      = "${var.res_prefix}-observability"
  documents = "${path.module}/../../documents"

  feeds_per_dashboard = jsondecode(file("${local.documents}/dashboard.json")).feeds_per_dashboard

  facts = {
    for feed, facts in var.feeds : feed => {
      name              = local.name
      namespace         = var.namespace
      region            = var.region
      feed              = feed
      queue             = facts.queue
      dead_letter_queue = facts.dead_letter_queue
      developers_topic  = var.developers_topic_arn
      runbook           = var.runbook_url
      run_within        = facts.run_within
    }
  }

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
  namespace           = try(each.value.Namespace, null)
  metric_name         = try(each.value.MetricName, null)
  dimensions          = try({ for each in each.value.Dimensions : each.Name => each.Value }, null)
  statistic           = try(each.value.Statistic, null)
  period              = can(each.value.Metrics) ? null : each.value.Period
  evaluation_periods  = each.value.EvaluationPeriods
  datapoints_to_alarm = each.value.DatapointsToAlarm
  threshold           = each.value.Threshold
  comparison_operator = each.value.ComparisonOperator
  treat_missing_data  = each.value.TreatMissingData
  alarm_actions       = each.value.AlarmActions
  ok_actions          = each.value.OKActions

  dynamic "metric_query" {
    for_each = try(each.value.Metrics, [])

    content {
      id          = metric_query.value.Id
      expression  = try(metric_query.value.Expression, null)
      label       = try(metric_query.value.Label, null)
      return_data = metric_query.value.ReturnData

      dynamic "metric" {
        for_each = try([metric_query.value.MetricStat], [])

        content {
          namespace   = metric.value.Metric.Namespace
          metric_name = metric.value.Metric.MetricName
          dimensions  = { for each in metric.value.Metric.Dimensions : each.Name => each.Value }
          stat        = metric.value.Stat
          period      = try(each.value.Period, metric.value.Period)
        }
      }
    }
  }

  tags = merge(var.tags, { Name = each.value.AlarmName })
}

# A dashboard holds 500 widgets at most: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
resource "aws_cloudwatch_dashboard" "this" {
  for_each = { for number, feeds in chunklist(sort(keys(var.feeds)), local.feeds_per_dashboard) : number + 1 => feeds }

  dashboard_name = "${local.name}-feeds-${each.key}"
  dashboard_body = jsonencode({ widgets = concat([for feed in each.value : module.dashboard.rendered[feed].widgets]...) })
}
