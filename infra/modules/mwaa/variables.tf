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
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets; the first two are used."
  type        = list(string)
}

variable "bucket" {
  description = "MWAA's bucket."
  type        = object({ name = string, arn = string })
}

variable "execution_role_arn" {
  description = "The role Airflow runs as."
  type        = string
}

variable "plugins_zip" {
  description = "Path of the zip that infra/plugins-zip makes."
  type        = string

  validation {
    condition     = fileexists(var.plugins_zip)
    error_message = "plugins_zip: no such file; infra/plugins-zip makes it."
  }
}

variable "requirements" {
  description = "Path of what MWAA installs."
  type        = string

  validation {
    condition     = fileexists(var.requirements)
    error_message = "requirements: no such file."
  }
}

variable "variables_prefix" {
  description = "Where the Secrets Manager backend looks for Variables."
  type        = string
}

variable "airflow_version" {
  description = "Airflow's version; null for the one that the first line of requirements names, and no other is taken."
  type        = string
  default     = null
}

variable "source_cidrs" {
  description = "IPv4 ranges from which people reach the web server; none while it is empty."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.source_cidrs : can(cidrnetmask(cidr))])
    error_message = "source_cidrs: IPv4 ranges such as 10.0.0.0/8."
  }

  validation {
    condition     = alltrue([for cidr in var.source_cidrs : try(tonumber(split("/", cidr)[1]), 0) >= 8])
    error_message = "source_cidrs: ranges of a /8 or smaller; to let in everybody, behind IAM, say webserver_access_mode = PUBLIC_ONLY."
  }
}

variable "log_retention_days" {
  description = "Days that Airflow's logs are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days: one of CloudWatch's periods, such as 30, 90 or 365."
  }
}

variable "key_arn" {
  description = "Key of the log groups."
  type        = string
}

variable "environment_class" {
  description = "Size of Airflow's machines."
  type        = string
  default     = "mw1.small"
  nullable    = false

  validation {
    condition     = can(regex("^mw1\\.(micro|small|medium|large|xlarge|2xlarge)$", var.environment_class))
    error_message = "environment_class: mw1.micro, small, medium, large, xlarge or 2xlarge."
  }
}

variable "schedulers" {
  description = "Schedulers; mw1.micro has one, whatever is said here."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.schedulers >= 2 && var.schedulers <= 5
    error_message = "schedulers: 2 to 5 (mw1.micro has one by itself)."
  }
}

variable "min_workers" {
  description = "Workers that are always there; mw1.micro has one, whatever is said here."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.min_workers >= 1 && var.min_workers <= 25
    error_message = "min_workers: 1 to 25."
  }
}

variable "max_workers" {
  description = "Workers at most."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.max_workers >= 1 && var.max_workers <= 25
    error_message = "max_workers: 1 to 25."
  }
}

variable "webserver_access_mode" {
  description = "Who reaches the web server: PRIVATE_ONLY or PUBLIC_ONLY (behind IAM)."
  type        = string
  default     = "PRIVATE_ONLY"
  nullable    = false

  validation {
    condition     = contains(["PRIVATE_ONLY", "PUBLIC_ONLY"], var.webserver_access_mode)
    error_message = "webserver_access_mode: PRIVATE_ONLY or PUBLIC_ONLY."
  }
}

variable "configuration" {
  description = "More of Airflow's configuration, such as core.default_timezone."
  type        = map(string)
  default     = {}
  nullable    = false
}
