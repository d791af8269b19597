variable "name" {
  description = "The document's name without .json."
  type        = string
}

variable "text" {
  description = "Key => placeholder => its text; the document is filled in once for each key."
  type        = map(map(string))
}

variable "json" {
  description = "Key => placeholder => JSON for those that stand for something else than text."
  type        = map(map(string))
  default     = {}
  nullable    = false
}
