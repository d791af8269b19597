output "alarm_names" {
  description = "Feed/alarm id => the alarm's name."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.alarm_name }
}

output "dashboard_names" {
  description = "The dashboards of the feeds, in order of the feeds' names."
  value       = [for number in range(length(aws_cloudwatch_dashboard.this)) : aws_cloudwatch_dashboard.this[tostring(number + 1)].dashboard_name]
}
