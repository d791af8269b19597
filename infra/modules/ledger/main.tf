locals {
  name  = "${var.res_prefix}-ledger"
  table = module.table.rendered["files"]
  index = local.table.GlobalSecondaryIndexes[0]

  keys       = { for key in local.table.KeySchema : key.KeyType => key.AttributeName }
  index_keys = { for key in local.index.KeySchema : key.KeyType => key.AttributeName }
}

module "table" {
  source = "../document"

  name = "ledger"
  text = { files = { name = "${local.name}-files" } }
}

resource "aws_dynamodb_table" "files" {
  #checkov:skip=CKV_AWS_119:the ledger holds names and states of files, no content; AWS's own key spares both roles a grant

  name                        = local.table.TableName
  billing_mode                = local.table.BillingMode
  hash_key                    = local.keys["HASH"]
  range_key                   = local.keys["RANGE"]
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = local.table.AttributeDefinitions

    content {
      name = attribute.value.AttributeName
      type = attribute.value.AttributeType
    }
  }

  # Only items that still have to move carry its keys, so the index is as small as the work.
  global_secondary_index {
    name            = local.index.IndexName
    hash_key        = local.index_keys["HASH"]
    range_key       = local.index_keys["RANGE"]
    projection_type = local.index.Projection.ProjectionType
  }

  # No TTL: an item that vanished before its object would make an old file look new.

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = false # AWS's own key; true would mean the account's
  }

  tags = merge(var.tags, { Name = local.table.TableName })
}
