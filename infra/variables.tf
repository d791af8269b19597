variable "region" {
  description = "AWS region of everything."
  type        = string
  default     = "eu-west-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: such as eu-west-1."
  }
}

variable "res_prefix" {
  description = "What every name begins with, such as acme-files-prod; buckets' names are the world's, so make it yours."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,24}[a-z0-9]$", var.res_prefix))
    error_message = "res_prefix: 3 to 26 characters a-z, 0-9 and -, beginning with a letter and not ending in -."
  }
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = { Application = "filebatch" }
}

variable "feeds_dir" {
  description = "Folder of the feed files, seen from here."
  type        = string
  default     = "../dags/feeds"
}

variable "network" {
  description = "Where jobs (and MWAA) run: an existing VPC, or one to make; egress is endpoints or nat (MWAA installs packages: nat)."
  type = object({
    existing   = optional(object({ vpc_id = string, subnet_ids = list(string) }))
    cidr       = optional(string)
    zones      = optional(list(string))
    egress     = optional(string)
    single_nat = optional(bool)
    interfaces = optional(set(string))
  })
  default = {}
}

variable "new_files" {
  description = "The bucket that partners drop files into: an existing one (null: one is made) and the KMS key of its files (null: none); ARNs of who may, each with the feeds it may drop files for; days that overwritten versions and (null: for ever) files are kept."
  type = object({
    existing        = optional(string)
    key_arn         = optional(string)
    uploaders       = optional(map(set(string)))
    noncurrent_days = optional(number)
    expire_days     = optional(number)
  })
  default = {}
}

variable "results" {
  description = "The bucket of results: days that manifests, and overwritten or deleted versions, are kept."
  type = object({
    manifest_days   = optional(number)
    noncurrent_days = optional(number)
  })
  default = {}
}

variable "key_arn" {
  description = "An existing KMS key for queues, topics, logs and settings, or null to make one; what its policy needs: README."
  type        = string
  default     = null
}

variable "access_log_bucket" {
  description = "An existing bucket for S3 access logs, or null."
  type        = string
  default     = null
}

variable "batch" {
  description = "How much runs at once (Spot before the rest; 0: none), and how long jobs' logs are kept."
  type = object({
    max_vcpus          = optional(number)
    spot_max_vcpus     = optional(number)
    log_retention_days = optional(number)
  })
  default = {}
}

variable "image_tag" {
  description = "Tag of the worker's image in this environment's registry, a new one for each push."
  type        = string
  default     = "0.1.0"

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag: a tag that means one image, such as a version or a commit, and so not latest."
  }
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

variable "stakeholders" {
  description = "E-mail addresses that get run summaries."
  type        = list(string)
  default     = []
}

variable "developers" {
  description = "E-mail addresses that get failures and alarms."
  type        = list(string)
  default     = []
}

variable "alarm_overrides" {
  description = "Feed => alarm id => what differs from infra/documents/alarms.json: enabled, period, evaluation_periods, threshold."
  type = map(map(object({
    enabled            = optional(bool)
    period             = optional(number)
    evaluation_periods = optional(number)
    threshold          = optional(number)
  })))
  default = {}
}

variable "runbook_url" {
  description = "Where your people find docs/runbook.md; each alarm links its section."
  type        = string
  default     = "docs/runbook.md"

  validation {
    condition     = can(regex("^[A-Za-z0-9:/._~%?=+-]+$", var.runbook_url))
    error_message = "runbook_url: a URL or path without fragment."
  }
}

variable "airflow_principals" {
  description = "ARNs of what runs your own Airflow and may assume its role."
  type        = list(string)
  default     = []
}

variable "variables_prefix" {
  description = "Where Airflow's Secrets Manager backend looks for Variables; null for RES_PREFIX/variables."
  type        = string
  default     = null
}

variable "mwaa" {
  description = "Amazon MWAA, or null for an Airflow that's there already."
  type = object({
    plugins_zip           = string
    requirements          = optional(string, "../requirements.txt")
    airflow_version       = optional(string)
    log_retention_days    = optional(number)
    source_cidrs          = optional(set(string))
    environment_class     = optional(string)
    schedulers            = optional(number)
    min_workers           = optional(number)
    max_workers           = optional(number)
    webserver_access_mode = optional(string)
    configuration         = optional(map(string))
  })
  default = null
}

variable "ci" {
  description = "The GitHub repository whose workflows may deploy images and files (and infrastructure, as policy_arns allow), or null."
  type = object({
    repository        = string
    refs              = optional(list(string), ["ref:refs/heads/main"])
    oidc_provider_arn = optional(string)
    policy_arns       = optional(set(string), [])
  })
  default = null
}

variable "deletion_protection" {
  description = "Whether ledger, buckets and images refuse to be destroyed while they hold something."
  type        = bool
  default     = true
}
