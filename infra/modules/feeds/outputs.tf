output "feeds" {
  description = "Feed => its fields, with the defaults for what its file leaves out."
  value       = { for name, feed in local.written : name => merge(local.flat, feed) }

  precondition {
    condition     = length(concat(local.strays, local.faults, local.overlaps)) == 0
    error_message = join("\n", concat(["Feed files that can't be used:"], local.strays, local.faults, local.overlaps))
  }
}

output "containers" {
  description = "Feed => what its file and the defaults say of its container: placeholders of job-definition.json."
  value = {
    for name, feed in local.written :
    name => { for field in keys(local.defaults.container) : field => tostring(merge(local.flat, feed)[field]) }
  }
}
