mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
}

variables {
  res_prefix         = "acme"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
  bucket             = { name = "airflow", arn = "arn:aws:s3:::airflow" }
  execution_role_arn = "arn:aws:iam::123456789012:role/airflow"
  plugins_zip        = "../requirements.txt"
  requirements       = "../requirements.txt"
  variables_prefix   = "acme/variables"
  key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/1"
}

run "environment" {
  module {
    source = "./modules/mwaa"
  }

  assert {
    condition = (
      aws_mwaa_environment.this.plugins_s3_object_version == aws_s3_object.plugins.version_id
      && aws_mwaa_environment.this.requirements_s3_object_version == aws_s3_object.requirements.version_id
      && length(aws_mwaa_environment.this.network_configuration[0].subnet_ids) == 2
    )
    error_message = "The environment runs the versions that were laid down, in two subnets."
  }

  assert {
    condition = (
      jsondecode(aws_mwaa_environment.this.airflow_configuration_options["secrets.backend_kwargs"]).variables_prefix == "acme/variables"
    )
    error_message = "Airflow looks for the settings where they are."
  }
}

run "who_reaches_the_web_server" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  variables {
    source_cidrs = ["10.1.0.0/16", "192.168.7.0/24"]
  }

  assert {
    condition = toset([
      for rule in aws_vpc_security_group_ingress_rule.people : "${rule.cidr_ipv4}:${rule.from_port}-${rule.to_port}"
    ]) == toset(["10.1.0.0/16:443-443", "192.168.7.0/24:443-443"])
    error_message = "People come in by HTTPS, from where it is said."
  }
}

run "nobody_reaches_the_web_server_unless_it_is_said" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.people) == 0
    error_message = "Nothing is open by default."
  }

  assert {
    condition     = aws_mwaa_environment.this.airflow_configuration_options["core.dags_are_paused_at_creation"] == "False"
    error_message = "A feed that is deployed works."
  }

  assert {
    condition = alltrue([
      for log in ["DAGProcessing", "Scheduler", "Task", "WebServer", "Worker"] :
      aws_cloudwatch_log_group.airflow[log].name == "airflow-acme-mwaa-airflow-${log}"
      && aws_cloudwatch_log_group.airflow[log].retention_in_days == 90
      && aws_cloudwatch_log_group.airflow[log].kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"
    ])
    error_message = "Logs fade, are encrypted, and go with the environment."
  }
}

run "airflow_is_the_one_of_its_requirements" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  assert {
    condition     = aws_mwaa_environment.this.airflow_version == regex("Airflow ([0-9.]+[0-9])", file("../requirements.txt"))[0]
    error_message = "The version is that of requirements.txt."
  }
}

run "refuses_another_airflow" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  variables {
    airflow_version = "3.3.1"
  }

  expect_failures = [aws_mwaa_environment.this]
}

run "refuses_everybody" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  variables {
    source_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.source_cidrs]
}

run "micro" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  variables {
    environment_class = "mw1.micro"
  }

  assert {
    condition     = aws_mwaa_environment.this.schedulers == 1 && aws_mwaa_environment.this.max_workers == 1
    error_message = "mw1.micro has one of each."
  }
}

run "refuses_one_subnet" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  variables {
    subnet_ids = ["subnet-1"]
  }

  expect_failures = [aws_mwaa_environment.this]
}

run "refuses_more_workers_than_there_may_be" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  variables {
    min_workers = 5
    max_workers = 2
  }

  expect_failures = [aws_mwaa_environment.this]
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  variables {
    plugins_zip           = "build/none.zip"
    requirements          = "none.txt"
    source_cidrs          = ["10.0.0.0"]
    log_retention_days    = 42
    environment_class     = "m5.large"
    schedulers            = 1
    min_workers           = 0
    max_workers           = 26
    webserver_access_mode = "PUBLIC"
  }

  expect_failures = [var.plugins_zip, var.requirements, var.environment_class, var.schedulers, var.min_workers, var.max_workers, var.webserver_access_mode, var.source_cidrs, var.log_retention_days]
}
