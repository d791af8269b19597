mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
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
  res_prefix = "acme"
}

run "endpoints" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 4 && length(aws_vpc_endpoint.gateway) == 2 && length(aws_nat_gateway.this) == 0
    error_message = "AWS's interfaces come into the network, and there is no way out of it."
  }

  assert {
    condition     = toset(keys(aws_subnet.private)) == toset(["eu-west-1a", "eu-west-1b"])
    error_message = "Two zones of the region by default."
  }
}

run "zones_are_those_there_are" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["us-east-1f", "us-east-1c", "us-east-1d"] }
  }

  assert {
    condition     = toset(keys(aws_subnet.private)) == toset(["us-east-1c", "us-east-1d"])
    error_message = "An account without zones a and b gets two that it has."
  }
}

run "refuses_a_region_of_one_zone" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["us-east-1f"] }
  }

  expect_failures = [aws_vpc.this]
}

run "names_of_endpoints_are_the_regions_own" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn" }
  }

  override_data {
    target = data.aws_region.current
    values = { name = "cn-north-1" }
  }

  assert {
    condition = (
      { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.service_name } == {
        "ecr.api"  = "cn.com.amazonaws.cn-north-1.ecr.api"
        "ecr.dkr"  = "cn.com.amazonaws.cn-north-1.ecr.dkr"
        logs       = "com.amazonaws.cn-north-1.logs"
        monitoring = "cn.com.amazonaws.cn-north-1.monitoring"
      }
      && aws_vpc_endpoint.gateway["s3"].service_name == "com.amazonaws.cn-north-1.s3"
    )
    error_message = "In China some names begin with cn."
  }
}

run "nat" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    egress     = "nat"
    single_nat = false
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_nat_gateway.this) == 2 && length(aws_route.nat) == 2
    error_message = "A gateway and a route for each zone."
  }
}

run "existing" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    existing = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"] }
  }

  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_vpc_endpoint.gateway) == 0 && output.private_subnet_ids == tolist(["subnet-1"])
    error_message = "Nothing is made in somebody else's network."
  }
}

run "refuses_bad_values_1" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    existing = { vpc_id = "vpc-1", subnet_ids = [] }
    cidr     = "10.0.0.0/24"
    zones    = ["eu-west-1a"]
    egress   = "internet"
  }

  expect_failures = [var.existing, var.cidr, var.zones, var.egress]
}

run "refuses_bad_values_2" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    existing = { vpc_id = "main", subnet_ids = ["subnet-1"] }
    cidr     = "10.0.0.0/8"
    zones    = ["eu-west-1a", "eu-west-1a"]
  }

  expect_failures = [var.existing, var.cidr, var.zones]
}

run "refuses_bad_values_3" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    cidr = "ten"
  }

  expect_failures = [var.cidr]
}
