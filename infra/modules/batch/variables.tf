variable "res_prefix" {
  description = "What every name begins with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
}

variable "vpc_id" {
  description = "The network of the jobs' security group."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in which jobs run."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "subnet_ids: at least one subnet."
  }
}

variable "max_vcpus" {
  description = "vCPUs of Fargate that all running jobs share."
  type        = number
  default     = 64
  nullable    = false

  validation {
    condition     = var.max_vcpus >= 1 && floor(var.max_vcpus) == var.max_vcpus
    error_message = "max_vcpus: a whole number of at least 1."
  }
}

variable "spot_max_vcpus" {
  description = "vCPUs of Fargate Spot, used before Fargate; 0 for none."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.spot_max_vcpus >= 0 && floor(var.spot_max_vcpus) == var.spot_max_vcpus
    error_message = "spot_max_vcpus: a whole number, 0 for none."
  }
}

variable "log_retention_days" {
  description = "Days that the jobs' logs are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days: one of CloudWatch's periods, such as 30, 90 or 365."
  }
}

variable "key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "feeds" {
  description = "Feeds by name: image, and the placeholders of job-definition.json that a feed gives."
  type        = map(map(string))

  validation {
    condition     = alltrue([for feed in values(var.feeds) : contains(["X86_64", "ARM64"], lookup(feed, "architecture", "X86_64"))])
    error_message = "feeds: architecture is X86_64 or ARM64."
  }
}

variable "job_role_arns" {
  description = "Feed => the role of its containers."
  type        = map(string)
}

variable "execution_role_arn" {
  description = "What starts the container: pulls its image, writes its logs."
  type        = string
}

variable "region" {
  description = "Region of the jobs."
  type        = string
}

variable "namespace" {
  description = "CloudWatch namespace of the custom metrics."
  type        = string
}

variable "metric_dimensions" {
  description = "Dimensions of your own on the custom metrics, such as Team, beside those that have Feed alone."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(var.metric_dimensions) < 30 && alltrue([
      for name, value in var.metric_dimensions :
      name != "Feed" && can(regex("^[A-Za-z0-9_./#-]{1,255}$", name)) && can(regex("^[A-Za-z0-9_./#-]{1,255}$", value))
    ])
    error_message = "metric_dimensions: at most 29, none of them Feed, names and values of letters, digits and _./#-"
  }
}

variable "ledger" {
  description = "The ledger's table, which the container is told."
  type        = string
}

variable "results_buckets" {
  description = "The bucket of each feed's results, which its containers are told."
  type        = map(string)
}
