output "environment_name" {
  description = "The environment's name."
  value       = aws_mwaa_environment.this.name
}

output "webserver_url" {
  description = "Where Airflow's UI is."
  value       = aws_mwaa_environment.this.webserver_url
}

output "plugins_version" {
  description = "The version of plugins.zip that the environment runs."
  value       = aws_s3_object.plugins.version_id
}
