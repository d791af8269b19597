variable "res_prefix" {
  description = "What every name begins with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
}

variable "region" {
  description = "Region of what the roles may use."
  type        = string
}

variable "new_files_bucket_arn" {
  description = "The bucket that files are dropped into."
  type        = string
}

variable "new_files_key_arn" {
  description = "KMS key of the files that are dropped, or null for S3's own."
  type        = string
  default     = null

  validation {
    condition     = var.new_files_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+$", var.new_files_key_arn))
    error_message = "new_files_key_arn: the ARN of a key, not of an alias."
  }
}

variable "results_bucket_arns" {
  description = "The bucket of each feed's results, quarantine and manifests."
  type        = map(string)
}

variable "namespace" {
  description = "CloudWatch namespace of the custom metrics."
  type        = string
}

variable "feeds" {
  description = "Feeds by name: what the keys of their files begin with."
  type        = map(object({ prefix = string }))

  validation {
    condition     = alltrue([for feed in var.feeds : can(regex("^[^*?$]+/$", feed.prefix))])
    error_message = "feeds: each prefix ends in / and has no *, ? or $, which a policy would read as patterns."
  }
}

variable "ledger_arn" {
  description = "The ledger's table."
  type        = string
}

variable "queue_arn_pattern" {
  description = "ARN of the feeds' queues, with * for the feed."
  type        = string
}

variable "topic_arns" {
  description = "Topics that runs tell."
  type        = list(string)
}

variable "key_arn" {
  description = "Key of queues, topics and settings."
  type        = string
}

variable "job_queue_arn" {
  description = "The queue that jobs are submitted to."
  type        = string
}

variable "job_definition_arn_pattern" {
  description = "ARN of the feeds' job definitions, with * for feed and revision."
  type        = string
}

variable "log_group_arn" {
  description = "The log group of the jobs."
  type        = string
}

variable "repository_arn" {
  description = "The repository of the worker's image."
  type        = string
}

variable "images" {
  description = "Images that feeds bring; those from ECR may be pulled."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "airflow_principals" {
  description = "ARNs of what runs Airflow and may assume its role; empty, and without MWAA: whom this account's IAM lets."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.airflow_principals : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:", arn))])
    error_message = "airflow_principals: ARNs of IAM principals such as arn:aws:iam::123456789012:role/airflow."
  }
}

variable "mwaa" {
  description = "The MWAA environment that runs as Airflow's role, or null."
  type = object({
    environment_name    = string
    bucket_arn          = string
    settings_secret_arn = string
  })
  default = null
}

variable "ci" {
  description = "The GitHub repository whose workflows may deploy, which refs of it, the account's OIDC provider (null: it is made), and policies that it has beside its own, such as one for Terraform; null for no role."
  type = object({
    repository        = string
    refs              = optional(list(string), ["ref:refs/heads/main"])
    oidc_provider_arn = optional(string)
    policy_arns       = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.ci == null ? true : can(regex("^[\\w.-]+/[\\w.-]+$", var.ci.repository))
    error_message = "ci.repository: owner/name."
  }

  validation {
    condition     = var.ci == null ? true : length(var.ci.refs) > 0 && alltrue([for ref in var.ci.refs : can(regex("^(ref:|environment:|pull_request)", ref))])
    error_message = "ci.refs: at least one, such as ref:refs/heads/main or environment:production."
  }
}
