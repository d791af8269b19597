# filebatch on AWS: what files land in, what processes them, who is told, and what Airflow needs to conduct it.

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}

locals {
  namespace = "filebatch/${var.res_prefix}" # environments of one account must not silence each other's alarms

  feeds = module.feeds.feeds

  image = "${module.registry.repository_url}:${var.image_tag}"

  variables_prefix = coalesce(var.variables_prefix, "${var.res_prefix}/variables")

  # MWAA's own interfaces, where the network has no other way out.
  interfaces = var.mwaa == null ? null : toset([
    "airflow.api", "airflow.env", "batch", "ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "secretsmanager", "sns", "sqs",
  ])

  # Where the results of each feed lie.
  results = { for name in keys(local.feeds) : name => module.storage.results }

  settings = {
    region                = var.region
    environment           = var.res_prefix
    buckets               = { new_files = module.storage.new_files.name, results = module.storage.results.name }
    queue_prefix          = module.events.queue_prefix
    topics                = module.notifications.topic_arns
    ledger                = module.ledger.table_name
    job_queue             = module.batch.job_queue.name
    job_definition_prefix = module.batch.job_definition_prefix
    namespace             = local.namespace
    dimensions            = var.metric_dimensions
  }
}

# The same files that make the DAGs.
module "feeds" {
  source = "./modules/feeds"

  folder = var.feeds_dir
}

module "keys" {
  source = "./modules/keys"

  res_prefix = var.res_prefix
  tags       = var.tags
  existing   = var.key_arn
}

module "network" {
  source = "./modules/network"

  res_prefix = var.res_prefix
  tags       = var.tags
  existing   = var.network.existing
  cidr       = var.network.cidr
  zones      = var.network.zones
  egress     = try(coalesce(var.network.egress, var.mwaa == null ? null : "nat"), null)
  single_nat = var.network.single_nat
  interfaces = try(coalesce(var.network.interfaces, local.interfaces), null)
}

module "storage" {
  source = "./modules/storage"

  res_prefix        = var.res_prefix
  tags              = var.tags
  new_files         = { for name, value in var.new_files : name => value if value != null && name != "key_arn" }
  prefixes          = { for name, feed in local.feeds : name => feed.prefix }
  results           = { for name, value in var.results : name => value if value != null }
  airflow_bucket    = var.mwaa != null
  access_log_bucket = var.access_log_bucket
  force_destroy     = !var.deletion_protection
}

module "ledger" {
  source = "./modules/ledger"

  res_prefix          = var.res_prefix
  tags                = var.tags
  deletion_protection = var.deletion_protection
}

module "registry" {
  source = "./modules/registry"

  res_prefix   = var.res_prefix
  tags         = var.tags
  force_delete = !var.deletion_protection
}

module "events" {
  source = "./modules/events"

  res_prefix       = var.res_prefix
  tags             = var.tags
  key_arn          = module.keys.messages_key_arn
  new_files_bucket = module.storage.new_files.name
  feeds            = { for name, feed in local.feeds : name => { prefix = feed.prefix } }
}

module "notifications" {
  source = "./modules/notifications"

  res_prefix   = var.res_prefix
  tags         = var.tags
  key_arn      = module.keys.messages_key_arn
  stakeholders = var.stakeholders
  developers   = var.developers
  feeds        = toset([for name, feed in local.feeds : name if try(feed.notify.topic, false) == true])
}

module "batch" {
  source = "./modules/batch"

  res_prefix         = var.res_prefix
  tags               = var.tags
  region             = var.region
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.private_subnet_ids
  max_vcpus          = var.batch.max_vcpus
  spot_max_vcpus     = var.batch.spot_max_vcpus
  namespace          = local.namespace
  log_retention_days = var.batch.log_retention_days
  key_arn            = module.keys.messages_key_arn
  metric_dimensions  = var.metric_dimensions
  ledger             = module.ledger.table_name
  results_buckets    = { for name, bucket in local.results : name => bucket.name }
  job_role_arns      = { for name in keys(local.feeds) : name => module.iam.role_arns["job-${name}"] }
  execution_role_arn = module.iam.role_arns["execution"]

  feeds = {
    for name, feed in local.feeds :
    name => merge(module.feeds.containers[name], { image = try(coalesce(feed.image, local.image), local.image) })
  }
}

module "iam" {
  source = "./modules/iam"

  res_prefix                 = var.res_prefix
  tags                       = var.tags
  region                     = var.region
  new_files_bucket_arn       = module.storage.new_files.arn
  new_files_key_arn          = var.new_files.key_arn
  results_bucket_arns        = { for name, bucket in local.results : name => bucket.arn }
  namespace                  = local.namespace
  feeds                      = { for name, feed in local.feeds : name => { prefix = feed.prefix } }
  ledger_arn                 = module.ledger.table_arn
  queue_arn_pattern          = module.events.queue_arn_pattern
  topic_arns                 = concat(values(module.notifications.topic_arns), values(module.notifications.feed_topic_arns))
  key_arn                    = module.keys.messages_key_arn
  job_queue_arn              = module.batch.job_queue.arn
  job_definition_arn_pattern = module.batch.job_definition_arn_pattern
  log_group_arn              = module.batch.log_group.arn
  repository_arn             = module.registry.repository_arn
  images                     = toset([for feed in local.feeds : feed.image if try(feed.image, null) != null])
  airflow_principals         = var.airflow_principals
  ci                         = var.ci

  mwaa = var.mwaa == null ? null : {
    environment_name    = "${var.res_prefix}-mwaa-airflow"
    bucket_arn          = module.storage.airflow.arn
    settings_secret_arn = module.settings.secret_arn
  }
}

module "observability" {
  source = "./modules/observability"

  res_prefix           = var.res_prefix
  tags                 = var.tags
  region               = var.region
  namespace            = local.namespace
  log_group            = module.batch.log_group.name
  job_queue_arn        = module.batch.job_queue.arn
  key_arn              = module.keys.messages_key_arn
  developers_topic_arn = module.notifications.topic_arns["developers"]
  runbook_url          = var.runbook_url
  overrides            = var.alarm_overrides

  feeds = {
    for name, feed in local.feeds : name => {
      queue             = module.events.queues[name].name
      dead_letter_queue = module.events.dead_letter_queues[name].name
      run_within        = feed.run_within
      has               = [for field, value in feed : field if value != null]
    }
  }
}

module "settings" {
  source = "./modules/settings"

  tags                 = var.tags
  variables_prefix     = local.variables_prefix
  settings             = jsonencode(local.settings)
  key_arn              = module.keys.messages_key_arn
  recovery_window_days = var.deletion_protection ? 30 : 0
}

module "mwaa" {
  source = "./modules/mwaa"
  count  = var.mwaa == null ? 0 : 1

  res_prefix            = var.res_prefix
  tags                  = var.tags
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.private_subnet_ids
  bucket                = module.storage.airflow
  execution_role_arn    = module.iam.role_arns["airflow"]
  variables_prefix      = local.variables_prefix
  plugins_zip           = var.mwaa.plugins_zip
  requirements          = var.mwaa.requirements
  airflow_version       = var.mwaa.airflow_version
  key_arn               = module.keys.messages_key_arn
  log_retention_days    = var.mwaa.log_retention_days
  source_cidrs          = var.mwaa.source_cidrs
  environment_class     = var.mwaa.environment_class
  schedulers            = var.mwaa.schedulers
  min_workers           = var.mwaa.min_workers
  max_workers           = var.mwaa.max_workers
  webserver_access_mode = var.mwaa.webserver_access_mode
  configuration         = var.mwaa.configuration
}
