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
  description = "Region of the metrics."
  type        = string
}

variable "feeds" {
  description = "Feeds by name: their queues' names, hours within which a run is expected, and which fields of the feed file are set."
  type = map(object({
    queue             = string
    dead_letter_queue = string
    run_within        = number
    has               = optional(set(string), [])
  }))
}

variable "namespace" {
  description = "CloudWatch namespace of the custom metrics."
  type        = string
}

variable "log_group" {
  description = "The jobs' log group, in which workers say what they could not publish."
  type        = string
}

variable "job_queue_arn" {
  description = "The queue whose failed jobs are told to the developers."
  type        = string
}

variable "key_arn" {
  description = "Key of the queue of what could not be told."
  type        = string
}

variable "developers_topic_arn" {
  description = "Where alarms and failed jobs go."
  type        = string
}

variable "runbook_url" {
  description = "Where people find docs/runbook.md; each alarm links its section."
  type        = string
}

variable "overrides" {
  description = "Feed => alarm id => what differs from infra/documents/alarms.json."
  type = map(map(object({
    enabled            = optional(bool, true)
    period             = optional(number)
    evaluation_periods = optional(number)
    threshold          = optional(number)
  })))
  default  = {}
  nullable = false

  validation {
    condition = alltrue(flatten([for feed, alarms in var.overrides : [
      for alarm in values(alarms) : contains([60, 300, 900, 3600, 21600, 86400], coalesce(alarm.period, 60))
    ]]))
    error_message = "overrides: a period of 60, 300, 900, 3600, 21600 or 86400 seconds."
  }
}
