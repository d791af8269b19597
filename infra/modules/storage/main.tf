# One pattern for every bucket: versioned, encrypted, TLS only, closed to the public, with a lifecycle.

locals {
  name      = "${var.res_prefix}-storage"
  documents = "${path.module}/../../documents"
  closed    = jsondecode(file("${local.documents}/public-access-block.json"))

  # A landing bucket that is there already keeps all that it has: policy, lifecycle, notifications.
  existing = var.new_files.existing[*]

  buckets = merge(
    length(local.existing) > 0 ? {} : {
      new-files = { noncurrent_days = var.new_files.noncurrent_days, expire_days = var.new_files.expire_days }
    },
    { results = { noncurrent_days = var.results.noncurrent_days, expire_days = null } },
    var.airflow_bucket ? { airflow = { noncurrent_days = 90, expire_days = null } } : {},
  )

  unknown_feeds = setsubtract(flatten(values(var.new_files.uploaders)), keys(var.prefixes))
}

data "aws_s3_bucket" "existing" {
  for_each = toset(local.existing)

  bucket = each.key
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:access logs need a bucket of the account's own; set access_log_bucket
  #checkov:skip=CKV_AWS_144:a second region is the account's decision and cost, not this module's
  #checkov:skip=CKV_AWS_145:AES256, so that partners of other accounts can upload without a grant on a key
  #checkov:skip=CKV2_AWS_62:only the new-files bucket has arrivals that anybody waits for
  for_each = local.buckets

  bucket        = "${local.name}-${each.key}"
  force_destroy = var.force_destroy

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = local.closed.BlockPublicAcls
  block_public_policy     = local.closed.BlockPublicPolicy
  ignore_public_acls      = local.closed.IgnorePublicAcls
  restrict_public_buckets = local.closed.RestrictPublicBuckets
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

module "policy" {
  source = "../document"

  name = "bucket-policy"
  text = { for name, bucket in aws_s3_bucket.this : name => { arn = bucket.arn } }
}

# A Deny of everybody's uploads that a worker couldn't read.
module "readable_only" {
  source = "../document"

  name = "landing-policy"
  text = { for name, bucket in aws_s3_bucket.this : name => { arn = bucket.arn } if name == "new-files" }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      module.policy.rendered[each.key].Statement,
      flatten([for bucket, policy in module.readable_only.rendered : policy.Statement if bucket == each.key]),
      # One statement each, as nobody may overwrite what others drop.
      [for number, arn in keys(var.new_files.uploaders) : {
        Sid       = "PartnerUploads${number}"
        Effect    = "Allow"
        Principal = { AWS = arn }
        Action    = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource  = [for feed in var.new_files.uploaders[arn] : "${each.value.arn}/${lookup(var.prefixes, feed, "")}*"]
        Condition = { Bool = { "aws:SecureTransport" = "true" } }
      } if each.key == "new-files"],
    )
  })

  lifecycle {
    precondition {
      condition     = length(local.unknown_feeds) == 0
      error_message = "new_files.uploaders: no such feeds: ${join(", ", local.unknown_feeds)}; there are ${join(", ", keys(var.prefixes))}."
    }
  }

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  #checkov:skip=CKV_AWS_300:the rule tidy sets it; this check loses sight of it beside dynamic rules
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "tidy"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = each.value.noncurrent_days
    }

    # What is left of a deleted file when its versions are gone.
    expiration {
      expired_object_delete_marker = true
    }
  }

  dynamic "rule" {
    for_each = each.value.expire_days == null ? [] : [each.value.expire_days]

    content {
      id     = "expire"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }
    }
  }

  # What runs meant to do is of use while somebody may ask; results are never deleted from here.
  dynamic "rule" {
    for_each = each.key == "results" ? [var.results.manifest_days] : []

    content {
      id     = "manifests"
      status = "Enabled"

      filter {
        prefix = "manifests/"
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# Only of a bucket that is made here: a bucket has one notification configuration, and this would put itself in its place.
resource "aws_s3_bucket_notification" "new_files" {
  for_each = { for name, bucket in aws_s3_bucket.this : name => bucket if name == "new-files" }

  bucket      = each.value.id
  eventbridge = true
}

resource "aws_s3_bucket_logging" "this" {
  for_each = var.access_log_bucket == null ? {} : aws_s3_bucket.this

  bucket        = each.value.id
  target_bucket = var.access_log_bucket
  target_prefix = "${each.value.id}/"
}
