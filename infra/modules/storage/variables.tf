variable "res_prefix" {
  description = "What every name begins with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
}

variable "new_files" {
  description = "The bucket that partners drop files into: the name of an existing one, which is left as it is (null: one is made); ARNs of who may, each with the feeds it may drop files for; days that an overwritten version is kept, days that a file is kept (null: for ever)."
  type = object({
    existing        = optional(string)
    uploaders       = optional(map(set(string)), {})
    noncurrent_days = optional(number, 90)
    expire_days     = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.new_files.existing == null || (length(var.new_files.uploaders) == 0 && var.new_files.expire_days == null)
    error_message = "new_files.existing: without uploaders and expire_days, as an existing bucket's policy and lifecycle are left alone."
  }

  validation {
    condition     = var.new_files.noncurrent_days >= 30
    error_message = "new_files.noncurrent_days: at least 30, as an overwritten version may still have to be processed."
  }

  validation {
    condition     = coalesce(var.new_files.expire_days, 30) >= 30
    error_message = "new_files.expire_days: at least 30, as a file may still have to be processed; null keeps files."
  }

  validation {
    condition     = alltrue([for arn, feeds in var.new_files.uploaders : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9+=,.@_/-]+)$", arn))])
    error_message = "new_files.uploaders: ARNs of IAM roles, users or accounts, without wildcards, such as arn:aws:iam::123456789012:role/partner."
  }

  validation {
    condition     = alltrue([for arn, feeds in var.new_files.uploaders : length(feeds) > 0])
    error_message = "new_files.uploaders: each with at least one feed, such as { \"arn:aws:iam::123456789012:role/partner\" = [\"weather\"] }."
  }
}

variable "prefixes" {
  description = "Feed => what the keys of its files begin with."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for prefix in var.prefixes : can(regex("^[^*?$]+/$", prefix))])
    error_message = "prefixes: each ends in / and has no *, ? or $, which a policy would read as patterns."
  }
}

variable "results" {
  description = "The bucket of results: days that manifests are kept, and days that overwritten or deleted versions are."
  type = object({
    manifest_days   = optional(number, 90)
    noncurrent_days = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.results.manifest_days >= 30
    error_message = "results.manifest_days: at least 30, as a run that is settled late reads its manifest."
  }

  validation {
    condition     = var.results.noncurrent_days >= 1
    error_message = "results.noncurrent_days: at least 1."
  }
}

variable "airflow_bucket" {
  description = "Whether MWAA's bucket of DAGs, plugins and requirements is made."
  type        = bool
  default     = false
  nullable    = false
}

variable "access_log_bucket" {
  description = "An existing bucket for S3 access logs, or null."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether buckets may be destroyed with files in them."
  type        = bool
  default     = false
  nullable    = false
}
