variable "res_prefix" {
  description = "What every name begins with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted."
  type        = bool
  default     = true
  nullable    = false
}
