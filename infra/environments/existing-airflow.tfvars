# An Airflow that is there already (yours, Astronomer, a laptop): everything but MWAA.
#   make deploy ENV=existing-airflow TO=/srv/airflow
#   airflow variables set filebatch "$(make -s deploy ENV=existing-airflow ARGS=--settings)"
res_prefix = "acme-files-prod"
region     = "eu-west-1"

# What your Airflow runs as; it assumes the role that the output role_arns names.
airflow_principals = ["arn:aws:iam::123456789012:role/airflow-workers"]

stakeholders = ["data-team@example.com"]
developers   = ["files-on-call@example.com"]
runbook_url  = "https://github.com/acme/filebatch/blob/main/docs/runbook.md"

batch = {
  max_vcpus      = 64
  spot_max_vcpus = 128
}

new_files = {
  uploaders = { "arn:aws:iam::210987654321:role/partner-upload" = ["weather"] }
}

alarm_overrides = {
  weather = {
    oldest-waiting-file = { threshold = 7200 }
  }
}
