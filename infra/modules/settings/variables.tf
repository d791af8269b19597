variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
}

variable "variables_prefix" {
  description = "Where Airflow's Secrets Manager backend looks for Variables."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9/_+=.@-]+[^/]$", var.variables_prefix))
    error_message = "variables_prefix: letters, digits and /_+=.@- without a slash at the end, such as airflow/variables."
  }
}

variable "settings" {
  description = "The Variable's value, as JSON."
  type        = string

  validation {
    condition     = can(jsondecode(var.settings))
    error_message = "settings: JSON."
  }
}

variable "key_arn" {
  description = "Key of the secret."
  type        = string
}

variable "recovery_window_days" {
  description = "Days that a deleted secret can still be restored; 0 deletes it at once."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "recovery_window_days: 0, or 7 to 30."
  }
}
