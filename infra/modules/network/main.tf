# A VPC with private subnets, or somebody else's. Jobs need no way to the internet: AWS's interfaces come to them as
# endpoints. NAT instead is for MWAA (which installs packages) or for processors that talk to others.

data "aws_region" "current" {}

# Zones that every account of the region has: which letters there are, differs.
data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:the first two by name are taken, and a zone that is added gets a later letter; zones pins them

  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_partition" "current" {}

locals {
  name   = "${var.res_prefix}-network"
  create = var.existing == null

  possible = length(var.zones) > 0 ? var.zones : sort(data.aws_availability_zones.available.names)

  zones = local.create ? slice(local.possible, 0, length(var.zones) > 0 ? length(var.zones) : min(2, length(local.possible))) : []

  # Half of the range for private subnets, small public ones (for NAT only) at its end.
  private = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 4, index) }
  public  = local.nat ? { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 8, 255 - index) } : {}

  nat       = local.create && var.egress == "nat"
  endpoints = local.create && var.egress == "endpoints"

  # In China some endpoints' names begin with cn, others' don't (`aws ec2 describe-vpc-endpoint-services`).
  cn = data.aws_partition.current.partition == "aws-cn" ? ["ecr.api", "ecr.dkr", "monitoring"] : []

  services = {
    for service in concat(["dynamodb", "s3"], tolist(var.interfaces)) :
    service => join(".", [contains(local.cn, service) ? "cn.com.amazonaws" : "com.amazonaws", data.aws_region.current.name, service])
  }
  gateways = local.nat ? (var.single_nat ? slice(local.zones, 0, 1) : local.zones) : []
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:flow logs of the account's networks are the account's decision and cost
  count = local.create ? 1 : 0

  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = merge(var.tags, { Name = local.name })

  lifecycle {
    precondition {
      condition     = length(local.zones) >= 2
      error_message = "network: the region has fewer than two zones that every account may use; name them in zones."
    }
  }
}

# The default group lets its members talk; nobody is to use it.
resource "aws_default_security_group" "closed" {
  count = local.create ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = merge(var.tags, { Name = "${local.name}-closed" })
}

resource "aws_subnet" "private" {
  for_each = local.private

  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = each.value

  tags = merge(var.tags, { Name = "${local.name}-private-${each.key}" })
}

resource "aws_route_table" "private" {
  for_each = local.private

  vpc_id = aws_vpc.this[0].id

  tags = merge(var.tags, { Name = "${local.name}-private-${each.key}" })
}

resource "aws_route_table_association" "private" {
  for_each = local.private

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# S3 and DynamoDB by gateway cost nothing, with NAT too.
resource "aws_vpc_endpoint" "gateway" {
  for_each = local.create ? toset(["dynamodb", "s3"]) : toset([])

  vpc_id            = aws_vpc.this[0].id
  vpc_endpoint_type = "Gateway"
  service_name      = local.services[each.key]
  route_table_ids   = [for table in aws_route_table.private : table.id]

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_security_group" "endpoints" {
  count = local.endpoints ? 1 : 0

  name        = "${local.name}-endpoints"
  description = "AWS's interfaces, for this network"
  vpc_id      = aws_vpc.this[0].id

  tags = merge(var.tags, { Name = "${local.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = local.endpoints ? 1 : 0

  security_group_id = aws_security_group.endpoints[0].id
  description       = "HTTPS from this network"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = var.cidr

  tags = merge(var.tags, { Name = "${local.name}-endpoints-https" })
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.endpoints ? var.interfaces : toset([])

  vpc_id              = aws_vpc.this[0].id
  vpc_endpoint_type   = "Interface"
  service_name        = local.services[each.key]
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_internet_gateway" "this" {
  count = local.nat ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = merge(var.tags, { Name = local.name })
}

resource "aws_subnet" "public" {
  for_each = local.public

  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = each.value

  tags = merge(var.tags, { Name = "${local.name}-public-${each.key}" })
}

resource "aws_route_table" "public" {
  count = local.nat ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = merge(var.tags, { Name = "${local.name}-public" })
}

resource "aws_route" "internet" {
  count = local.nat ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  for_each = local.public

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "nat" {
  for_each = toset(local.gateways)

  domain = "vpc"

  tags = merge(var.tags, { Name = "${local.name}-nat-${each.key}" })
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.gateways)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = merge(var.tags, { Name = "${local.name}-nat-${each.key}" })

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route" "nat" {
  for_each = local.nat ? local.private : {}

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[contains(local.gateways, each.key) ? each.key : local.gateways[0]].id
}
