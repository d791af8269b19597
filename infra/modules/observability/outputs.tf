output "alarm_names" {
  description = "Feed/alarm id => the alarm's name."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.alarm_name }
}

output "dashboard_name" {
  description = "The dashboard of all feeds."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
