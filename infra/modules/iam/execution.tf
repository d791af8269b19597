# What Fargate may do to start a container.

locals {
  # Repositories of feeds that bring an image of their own from ECR; each by its whole name, as a * would stand for others.
  image_arns = [
    for parts in [
      for image in var.images : try(regex("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/([a-z0-9._/-]+)(?:[:@].*)?$", image), null)
    ] : "arn:${local.partition}:ecr:${parts[1]}:${parts[0]}:repository/${parts[2]}" if parts != null
  ]

  execution_statements = [
    {
      Sid      = "EnterRegistry"
      Effect   = "Allow"
      Action   = "ecr:GetAuthorizationToken"
      Resource = "*" # the service knows no resources for it
    },
    {
      Sid      = "PullImages"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = distinct(concat([var.repository_arn], local.image_arns))
    },
    {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${var.log_group_arn}:*"
    },
  ]
}
