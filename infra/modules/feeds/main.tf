# The feed files, read as the DAGs read them. Every text of a feed has a pattern, which plugins/filebatch/feeds/feed.py holds
# it to as well: what is refused here is refused there.

locals {
  library  = "${path.module}/../../../plugins/filebatch"
  defaults = jsondecode(file("${local.library}/feeds/feed-defaults.json"))
  flat     = merge(local.defaults.container, { for name, value in local.defaults : name => value if name != "container" })
  rules    = jsondecode(file("${local.library}/feeds/feed-text.json"))

  written = {
    for file in fileset(var.folder, "*.yaml") :
    trimsuffix(file, ".yaml") => try(yamldecode(file("${var.folder}/${file}")), null)
  }

  # What is null or isn't there has the default; without a prefix there is no feed.
  texts = {
    for name, feed in local.written : name => merge(
      { prefix = null },
      { for field, rule in local.rules : field => feed[field] if try(feed[field], null) != null },
      { name = name },
    )
  }

  # A number is no text, though Terraform would take it for one: only text has JSON that begins with a quote.
  faults = flatten([
    for name, texts in local.texts : [
      for field, text in texts :
      "${name}.yaml: ${field}: expected ${local.rules[field].expected}, found ${jsonencode(text)}"
      if !(
        startswith(jsonencode(text), "\"")
        && can(regex("^(?:${local.rules[field].pattern})$", text))
        && try(length(text), 0) <= try(local.rules[field].longest, 500)
      )
    ]
  ])
  # What may be meant for a feed, and is none: orders.yml, or a feed file in a folder.
  strays = [
    for file in fileset(var.folder, "**") :
    "${file}: expected nothing but feed files here: NAME.yaml, in no folder; rename it, or move it away"
    if !can(regex("^[^/]+[.]yaml$", file)) && !can(regex("(^|/)[.]", file))
  ]
  # Of two such feeds nobody can tell whose the files are.
  overlaps = flatten([
    for name, texts in local.texts : [
      for other, theirs in local.texts :
      "${name}.yaml: prefix: expected one that doesn't overlap with that of ${other}.yaml, found ${jsonencode(texts.prefix)}"
      if name != other && try(startswith(texts.prefix, theirs.prefix) || startswith(theirs.prefix, texts.prefix), false)
    ]
  ])
}
