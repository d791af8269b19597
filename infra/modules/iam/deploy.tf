# What a CI pipeline needs for `make deploy`: push an image, and on MWAA lay down files, have it start anew and look whether
# its Airflow is well. Infrastructure it may change only as policies of the caller's let it.

locals {
  github = "token.actions.githubusercontent.com"

  oidc_arn = var.ci == null ? null : coalesce(
    var.ci.oidc_provider_arn,
    try(aws_iam_openid_connect_provider.github[0].arn, null),
  )

  deploy_statements = concat(
    [
      {
        Sid      = "EnterRegistry"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*" # the service knows no resources for it
      },
      {
        Sid    = "PushImages"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = var.repository_arn
      },
    ],
    flatten([for mwaa in var.mwaa[*] : [
      {
        Sid      = "ListFiles"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = mwaa.bucket_arn
      },
      {
        Sid    = "LayDownFiles"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:PutObject"]
        Resource = [
          for path in ["dags/*", "deployments/*", "plugins.zip", "requirements.txt"] : "${mwaa.bucket_arn}/${path}"
        ]
      },
      {
        Sid      = "RemoveDags"
        Effect   = "Allow"
        Action   = "s3:DeleteObject"
        Resource = "${mwaa.bucket_arn}/dags/*"
      },
      {
        Sid      = "StartAnew"
        Effect   = "Allow"
        Action   = ["airflow:GetEnvironment", "airflow:UpdateEnvironment"]
        Resource = "arn:${local.partition}:airflow:${var.region}:${local.account}:environment/${mwaa.environment_name}"
      },
      {
        Sid      = "AskAirflow"
        Effect   = "Allow"
        Action   = "airflow:InvokeRestApi"
        Resource = "arn:${local.partition}:airflow:${var.region}:${local.account}:role/${mwaa.environment_name}/Op"
      },
    ]]),
  )
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.ci == null ? 0 : var.ci.oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.github}"
  client_id_list = ["sts.amazonaws.com"]

  tags = merge(var.tags, { Name = "${local.name}-github" })
}

resource "aws_iam_role" "deploy" {
  count = var.ci == null ? 0 : 1

  name                 = "${local.name}-deploy"
  max_session_duration = 10800 # seconds; MWAA takes half an hour, twice as long where it rolls back

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.oidc_arn }
      Condition = {
        StringEquals = { "${local.github}:aud" = "sts.amazonaws.com" }
        StringLike   = { "${local.github}:sub" = [for ref in var.ci.refs : "repo:${var.ci.repository}:${ref}"] }
      }
    }]
  })

  tags = merge(var.tags, { Name = "${local.name}-deploy" })
}

resource "aws_iam_role_policy" "deploy" {
  count = var.ci == null ? 0 : 1

  name   = "${local.name}-deploy"
  role   = aws_iam_role.deploy[0].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.deploy_statements })
}

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = var.ci == null ? toset([]) : var.ci.policy_arns

  role       = aws_iam_role.deploy[0].name
  policy_arn = each.key
}
