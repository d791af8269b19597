# Amazon MWAA: its bucket's contents, its network, its environment. The DAGs are not laid down here: they change more
# often than infrastructure does (docs/runbook.md#deploying).

locals {
  name = "${var.res_prefix}-mwaa"
}

resource "aws_s3_object" "plugins" {
  bucket      = var.bucket.name
  key         = "plugins.zip"
  source      = var.plugins_zip
  source_hash = filebase64sha256(var.plugins_zip)

  tags = merge(var.tags, { Name = "${local.name}-plugins" })
}

resource "aws_s3_object" "requirements" {
  bucket      = var.bucket.name
  key         = "requirements.txt"
  source      = var.requirements
  source_hash = filebase64sha256(var.requirements)

  tags = merge(var.tags, { Name = "${local.name}-requirements" })
}

resource "aws_security_group" "environment" {
  name        = "${local.name}-environment"
  description = "Airflow's own parts, among themselves"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${local.name}-environment" })
}

resource "aws_vpc_security_group_ingress_rule" "among_themselves" {
  security_group_id            = aws_security_group.environment.id
  description                  = "Airflow's own parts"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.environment.id

  tags = merge(var.tags, { Name = "${local.name}-among-themselves" })
}

resource "aws_vpc_security_group_egress_rule" "among_themselves" {
  security_group_id            = aws_security_group.environment.id
  description                  = "Airflow's own parts"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.environment.id

  tags = merge(var.tags, { Name = "${local.name}-among-themselves-out" })
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.environment.id
  description       = "AWS and the package index"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"

  tags = merge(var.tags, { Name = "${local.name}-https" })
}

resource "aws_mwaa_environment" "this" {
  #checkov:skip=CKV2_AWS_66:private unless the caller says otherwise, and then still behind IAM

  name               = "${local.name}-airflow"
  airflow_version    = var.airflow_version
  environment_class  = var.environment_class
  execution_role_arn = var.execution_role_arn

  source_bucket_arn              = var.bucket.arn
  dag_s3_path                    = "dags/"
  plugins_s3_path                = aws_s3_object.plugins.key
  plugins_s3_object_version      = aws_s3_object.plugins.version_id
  requirements_s3_path           = aws_s3_object.requirements.key
  requirements_s3_object_version = aws_s3_object.requirements.version_id

  schedulers            = var.environment_class == "mw1.micro" ? 1 : var.schedulers
  min_workers           = var.environment_class == "mw1.micro" ? 1 : var.min_workers
  max_workers           = var.environment_class == "mw1.micro" ? 1 : var.max_workers
  webserver_access_mode = var.webserver_access_mode

  airflow_configuration_options = merge(
    {
      "secrets.backend" = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
      "secrets.backend_kwargs" = jsonencode({
        variables_prefix         = var.variables_prefix
        variables_lookup_pattern = "^filebatch$"
        connections_prefix       = null
        config_prefix            = null
      })
      # Airflow 3.2.1 serves the 50 oldest asset triggers only, and each feed has one.
      "triggerer.max_trigger_to_select_per_loop" = "1000"
    },
    var.configuration,
  )

  network_configuration {
    security_group_ids = [aws_security_group.environment.id]
    subnet_ids         = slice(var.subnet_ids, 0, min(2, length(var.subnet_ids)))
  }

  logging_configuration {
    dag_processing_logs {
      enabled   = true
      log_level = "WARNING"
    }

    scheduler_logs {
      enabled   = true
      log_level = "WARNING"
    }

    task_logs {
      enabled   = true
      log_level = "INFO"
    }

    webserver_logs {
      enabled   = true
      log_level = "WARNING"
    }

    worker_logs {
      enabled   = true
      log_level = "WARNING"
    }
  }

  tags = merge(var.tags, { Name = "${local.name}-airflow" })

  lifecycle {
    precondition {
      condition     = length(var.subnet_ids) >= 2
      error_message = "mwaa: needs two private subnets in different zones."
    }

    precondition {
      condition     = var.min_workers <= var.max_workers
      error_message = "mwaa: min_workers is larger than max_workers."
    }
  }
}
