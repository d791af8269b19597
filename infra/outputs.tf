output "settings" {
  description = "The Airflow Variable filebatch: airflow variables set filebatch \"$(terraform output -raw settings)\"."
  value       = jsonencode(local.settings)
}

output "settings_secret_arn" {
  description = "The secret that holds the same, for Airflow's Secrets Manager backend."
  value       = module.settings.secret_arn
}

output "feed_topics" {
  description = "Feed => ARN of its own topic, for feeds with notify.topic: subscribe who cares for that feed."
  value       = module.notifications.feed_topic_arns
}

output "repository_url" {
  description = "Where the worker's image is pushed."
  value       = module.registry.repository_url
}

output "role_arns" {
  description = "ARNs of the roles execution, airflow, and job-FEED of each feed."
  value       = module.iam.role_arns
}

output "deploy_role_arn" {
  description = "The role of CI, or null."
  value       = module.iam.deploy_role_arn
}

output "policies" {
  description = "Role => its policy, as rendered."
  value       = module.iam.policies
}

output "airflow_bucket" {
  description = "MWAA's bucket, which `make deploy` lays plugins, requirements and DAGs down in, or null."
  value       = try(module.storage.airflow.name, null)
}

output "mwaa_environment" {
  description = "The name of MWAA's environment, or null."
  value       = try(module.mwaa[0].environment_name, null)
}

output "webserver_url" {
  description = "Where MWAA's UI is, or null."
  value       = try(module.mwaa[0].webserver_url, null)
}

output "alarm_names" {
  description = "Feed/alarm id => the alarm's name."
  value       = module.observability.alarm_names
}

output "dashboard_names" {
  description = "The dashboards of the feeds, in order of the feeds' names."
  value       = module.observability.dashboard_names
}

output "key_policy" {
  description = "The policy of the key of queues, topics, logs and settings; that of key_arn must allow as much."
  value       = module.keys.messages_key_policy
}
