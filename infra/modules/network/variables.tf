variable "res_prefix" {
  description = "What every name begins with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
}

variable "existing" {
  description = "A network that is there already, or null to make one."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
  default = null

  validation {
    condition     = var.existing == null ? true : can(regex("^vpc-", var.existing.vpc_id)) && length(var.existing.subnet_ids) >= 1
    error_message = "existing: a vpc_id such as vpc-0a1b2c3d, and at least one private subnet."
  }
}

variable "cidr" {
  description = "Addresses of the network, a /16 to /20."
  type        = string
  default     = "10.20.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrsubnet(var.cidr, 8, 255)) && try(tonumber(split("/", var.cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 20
    error_message = "cidr: an IPv4 range between /16 and /20, such as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones; empty for the first two that every account of the region may use."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.zones) != 1 && length(var.zones) <= 6 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones: 2 to 6 different zones, or none for the first two of the region."
  }
}

variable "egress" {
  description = "How jobs reach AWS: endpoints (no way to the internet) or nat."
  type        = string
  default     = "endpoints"
  nullable    = false

  validation {
    condition     = contains(["endpoints", "nat"], var.egress)
    error_message = "egress: endpoints or nat."
  }
}

variable "single_nat" {
  description = "Whether one NAT gateway serves all zones: cheaper, and gone with its zone."
  type        = bool
  default     = true
  nullable    = false
}

variable "interfaces" {
  description = "AWS services that come as interface endpoints; each costs per zone and hour."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "logs", "monitoring"]
  nullable    = false
}
