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
  description = "ARN of a key that is there already, or null to make one."
  type        = string
  default     = null

  validation {
    condition     = var.existing == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+$", var.existing))
    error_message = "existing: the ARN of a key, not of an alias."
  }
}

variable "deletion_window_days" {
  description = "Days that a deleted key can still be saved."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "deletion_window_days: KMS takes 7 to 30 days."
  }
}
