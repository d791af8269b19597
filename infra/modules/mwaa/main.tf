# Amazon MWAA: its network, its environment, and what that needs to be made: first plugins and requirements. What comes
# after them is `make deploy`'s to lay down, with the DAGs, and to have the environment start with (docs/deploy.md).

locals {
  name        = "${var.res_prefix}-mwaa"
  environment = "${local.name}-airflow"

  # What MWAA installs was resolved for one version of Airflow, which its first line says.
  required = regex("Airflow ([0-9.]+[0-9])", split("\n", file(var.requirements))[0])[0]
  version  = coalesce(var.airflow_version, local.required)

  # https://docs.aws.amazon.com/mwaa/latest/userguide/monitoring-airflow.html
  logs = toset(["DAGProcessing", "Scheduler", "Task", "WebServer", "Worker"])
}

# Made before MWAA makes them without retention and key, and leaves them behind.
resource "aws_cloudwatch_log_group" "airflow" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the environment's decision
  for_each = local.logs

  name              = "airflow-${local.environment}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn

  tags = merge(var.tags, { Name = "airflow-${local.environment}-${each.key}" })
}

resource "aws_s3_object" "plugins" {
  bucket      = var.bucket.name
  key         = "plugins.zip"
  source      = var.plugins_zip
  source_hash = filebase64sha256(var.plugins_zip)

  tags = merge(var.tags, { Name = "${local.name}-plugins" })

  lifecycle {
    ignore_changes = [source, source_hash, tags, tags_all, content_type]
  }
}

resource "aws_s3_object" "requirements" {
  bucket      = var.bucket.name
  key         = "requirements.txt"
  source      = var.requirements
  source_hash = filebase64sha256(var.requirements)

  tags = merge(var.tags, { Name = "${local.name}-requirements" })

  lifecycle {
    ignore_changes = [source, source_hash, tags, tags_all, content_type]
  }
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

# The web server's endpoints of a private environment are in this group, too.
resource "aws_vpc_security_group_ingress_rule" "people" {
  for_each = var.source_cidrs

  security_group_id = aws_security_group.environment.id
  description       = "The web server"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.key

  tags = merge(var.tags, { Name = "${local.name}-people" })
}

resource "aws_mwaa_environment" "this" {
  #checkov:skip=CKV2_AWS_66:private unless the caller says otherwise, and then still behind IAM

  name               = local.environment
  airflow_version    = local.version
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
      # A feed that is deployed is one that works; who wants to begin paused says so in configuration.
      "core.dags_are_paused_at_creation" = "False"
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
    ignore_changes = [plugins_s3_object_version, requirements_s3_object_version]

    precondition {
      condition     = local.version == local.required
      error_message = "mwaa: airflow_version ${local.version}, but requirements were resolved for Airflow ${local.required}."
    }

    precondition {
      condition     = length(var.subnet_ids) >= 2
      error_message = "mwaa: needs two private subnets in different zones."
    }

    precondition {
      condition     = var.min_workers <= var.max_workers
      error_message = "mwaa: min_workers is larger than max_workers."
    }
  }

  depends_on = [aws_cloudwatch_log_group.airflow]
}
