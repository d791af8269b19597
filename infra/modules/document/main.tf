# One of infra/documents, filled in. The rule is that of the local AWS (infra/local/filebatch_local/provision/documents.py): text
# goes in as the inside of a JSON string, so that whatever it holds stays text; anything else goes in as JSON.

locals {
  rendered = {
    for key, text in var.text : key => jsondecode(templatefile("${path.module}/../../documents/${var.name}.json", merge(
      { for name, value in lookup(var.json, key, {}) : name => jsonencode(jsondecode(value)) },
      { for name, value in text : name => trimsuffix(trimprefix(jsonencode(value), "\""), "\"") },
    )))
  }
}
