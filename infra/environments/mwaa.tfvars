# Amazon MWAA conducts.
#   make deploy ENV=mwaa
res_prefix = "acme-files-prod"
region     = "eu-west-1"

mwaa = {
  plugins_zip       = "build/plugins.zip"
  environment_class = "mw1.small"
  max_workers       = 5

  # From where people reach Airflow's UI, through a VPN or a peering; without any nobody does.
  source_cidrs = ["10.0.0.0/8"]
}

# MWAA installs packages, so its network needs a way out.
network = {
  egress     = "nat"
  single_nat = false
}

ci = {
  repository = "acme/filebatch"
}

stakeholders = ["data-team@example.com"]
developers   = ["files-on-call@example.com"]
runbook_url  = "https://github.com/acme/filebatch/blob/main/docs/runbook.md"
