# One alarm for all feeds that doesn't hang on what it watches: CloudWatch Logs itself counts the lines in which a worker
# says that it could not publish metrics.

locals {
  not_published = module.not_published.rendered["jobs"]
}

module "not_published" {
  source = "../document"

  name = "metrics-not-published"

  text = {
    jobs = {
      name             = local.name
      namespace        = var.namespace
      log_group        = var.log_group
      developers_topic = var.developers_topic_arn
      runbook          = var.runbook_url
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "not_published" {
  name           = local.not_published.filter.filterName
  pattern        = local.not_published.filter.filterPattern
  log_group_name = local.not_published.filter.logGroupName

  metric_transformation {
    name      = local.not_published.filter.metricTransformations[0].metricName
    namespace = local.not_published.filter.metricTransformations[0].metricNamespace
    value     = local.not_published.filter.metricTransformations[0].metricValue
    unit      = local.not_published.filter.metricTransformations[0].unit
  }
}

resource "aws_cloudwatch_metric_alarm" "not_published" {
  alarm_name          = local.not_published.alarm.AlarmName
  alarm_description   = local.not_published.alarm.AlarmDescription
  namespace           = local.not_published.alarm.Namespace
  metric_name         = local.not_published.alarm.MetricName
  statistic           = local.not_published.alarm.Statistic
  period              = local.not_published.alarm.Period
  evaluation_periods  = local.not_published.alarm.EvaluationPeriods
  datapoints_to_alarm = local.not_published.alarm.DatapointsToAlarm
  threshold           = local.not_published.alarm.Threshold
  comparison_operator = local.not_published.alarm.ComparisonOperator
  treat_missing_data  = local.not_published.alarm.TreatMissingData
  alarm_actions       = local.not_published.alarm.AlarmActions
  ok_actions          = local.not_published.alarm.OKActions

  tags = merge(var.tags, { Name = local.not_published.alarm.AlarmName })
}
