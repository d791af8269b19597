variable "res_prefix" {
  description = "What every name begins with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
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
