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
  description = "Key of the queues; a customer's, as AWS's own would block EventBridge."
  type        = string
}

variable "new_files_bucket" {
  description = "The bucket whose events are listened to."
  type        = string
}

variable "feeds" {
  description = "Feeds by name."
  type        = map(object({ prefix = string }))
}
