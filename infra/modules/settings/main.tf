# The Airflow Variable `filebatch`, as a secret where MWAA's Secrets Manager backend looks for it.

resource "aws_secretsmanager_secret" "filebatch" {
  #checkov:skip=CKV2_AWS_57:names and ARNs, no credentials; there is nothing to rotate

  name                    = "${var.variables_prefix}/filebatch"
  description             = "Airflow Variable filebatch: what the DAGs need to know of this environment"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_window_days

  tags = merge(var.tags, { Name = "${var.variables_prefix}/filebatch" })
}

resource "aws_secretsmanager_secret_version" "filebatch" {
  secret_id     = aws_secretsmanager_secret.filebatch.id
  secret_string = var.settings
}
