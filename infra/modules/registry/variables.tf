variable "res_prefix" {
  description = "What every name begins with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource; each adds its own Name."
  type        = map(string)
  default     = {}
}

variable "keep_images" {
  description = "How many images are kept; a job definition of an older one could no longer start."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.keep_images >= 2
    error_message = "keep_images: at least 2, the running image and the one before it."
  }
}

variable "force_delete" {
  description = "Whether the repository may be destroyed with images in it."
  type        = bool
  default     = false
  nullable    = false
}
