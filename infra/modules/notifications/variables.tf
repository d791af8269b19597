variable "res_prefix" {
  description = "What every name begins with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
}

variable "key_arn" {
  description = "Key of the topics; a customer's, as AWS's own would block alarms and EventBridge."
  type        = string
}

variable "feeds" {
  description = "Feeds that have a topic of their own."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "stakeholders" {
  description = "E-mail addresses that get run summaries."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.stakeholders : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "stakeholders: e-mail addresses."
  }
}

variable "developers" {
  description = "E-mail addresses that get failures and alarms."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.developers : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "developers: e-mail addresses."
  }
}
