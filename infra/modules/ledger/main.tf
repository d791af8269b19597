locals {
  name  = "${var.res_prefix}-ledger"
  table = module.table.rendered["files"]

  keys = { for key in local.table.KeySchema : key.KeyType => key.AttributeName }
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

  # `open` has only items that still have to move, so it is as small as the work. `listed` has every file, with few attributes.
  dynamic "global_secondary_index" {
    for_each = local.table.GlobalSecondaryIndexes

    content {
      name               = global_secondary_index.value.IndexName
      hash_key           = one([for key in global_secondary_index.value.KeySchema : key.AttributeName if key.KeyType == "HASH"])
      range_key          = one([for key in global_secondary_index.value.KeySchema : key.AttributeName if key.KeyType == "RANGE"])
      projection_type    = global_secondary_index.value.Projection.ProjectionType
      non_key_attributes = try(global_secondary_index.value.Projection.NonKeyAttributes, null)
    }
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
