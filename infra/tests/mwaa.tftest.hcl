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
    airflow_version       = "2.10.3"
    environment_class     = "m5.large"
    schedulers            = 1
    min_workers           = 0
    max_workers           = 26
    webserver_access_mode = "PUBLIC"
  }

  expect_failures = [var.plugins_zip, var.requirements, var.airflow_version, var.environment_class, var.schedulers, var.min_workers, var.max_workers, var.webserver_access_mode]
}
