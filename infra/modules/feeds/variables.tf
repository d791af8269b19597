variable "folder" {
  description = "Folder of the feed files, seen from where Terraform runs."
  type        = string

  validation {
    condition     = length(fileset(var.folder, "*.yaml")) > 0
    error_message = "folder: no *.yaml in it; a feed is one file (dags/feeds)."
  }
}
