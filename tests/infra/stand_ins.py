"""What is done as a role, or through it, and no request here shows: each with who does it, and why none does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from infra.applied import PREFIX, REGION
from infra.calls import ACCOUNT
from infra.policies import Call

ARN = f"{REGION}:{ACCOUNT}"
REPOSITORY = f"arn:aws:ecr:{ARN}:repository/{PREFIX}-registry-worker"
BUCKET = f"arn:aws:s3:::{PREFIX}-storage-airflow"
KEY = f"arn:aws:kms:{ARN}:key/ANY"
MWAA_KEY = "arn:aws:kms:eu-west-1:999999999999:key/of-mwaa"
CELERY = f"arn:aws:sqs:{REGION}:999999999999:airflow-celery-1"
LOGS = f"arn:aws:logs:{ARN}:log-group:airflow-{PREFIX}-mwaa-airflow-Task"


@dataclass(frozen=True)
class StandIn:
    """Calls that stand for what isn't here.

    Attributes:
        why: who makes them, and why no recording has them.
        role: the role they are made as.
        actions: IAM's names.
        resource: ARN, or "*".
        context: what conditions may ask about.
    """

    why: str
    role: str
    actions: tuple[str, ...]
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def calls(self) -> Iterator[Call]:
        for action in self.actions:
            yield Call(self.role, action, self.resource, tuple(self.context.items()))


def via(service: str) -> dict[str, str]:
    return {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}


# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
FARGATE = "Fargate pulls the image and writes the logs, and there is none here"
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
PUSH = "docker push speaks to ECR's registry, and there is none here"
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html and the same page of SQS
ENCRYPTION = "the service en- or decrypts as whoever calls it; the local AWS doesn't"
# https://docs.aws.amazon.com/mwaa/latest/userguide/mwaa-create-role.html
MWAA = "MWAA itself does it as the environment's role, and there is none here"

# tests/tools/deploy/test_mwaa.py makes these calls, on an AWS that Terraform didn't make and as nobody's role
DEPLOY = "make deploy does it, and here the DAGs alone are laid down"

EVERYWHERE = [
    StandIn(FARGATE, "execution", ("ecr:GetAuthorizationToken",), "*"),
    StandIn(
        FARGATE,
        "execution",
        ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
        REPOSITORY,
    ),
    StandIn(
        FARGATE,
        "execution",
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        f"arn:aws:logs:{ARN}:log-group:{PREFIX}-batch-jobs:log-stream:a",
    ),
    StandIn(ENCRYPTION, "airflow", ("kms:Decrypt",), KEY, via("sqs")),
    StandIn(ENCRYPTION, "airflow", ("kms:GenerateDataKey",), KEY, via("sns")),
]

WITH_MWAA = [
    StandIn(PUSH, "deploy", ("ecr:GetAuthorizationToken",), "*"),
    StandIn(
        PUSH,
        "deploy",
        (
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImages",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ),
        REPOSITORY,
    ),
    StandIn(DEPLOY, "deploy", ("s3:GetObject",), f"{BUCKET}/dags/file_to_batch.py"),
    StandIn(DEPLOY, "deploy", ("s3:GetObject", "s3:PutObject"), f"{BUCKET}/deployments/000001.json"),
    StandIn(DEPLOY, "deploy", ("s3:GetObject", "s3:PutObject"), f"{BUCKET}/plugins.zip"),
    StandIn(DEPLOY, "deploy", ("s3:GetObject", "s3:PutObject"), f"{BUCKET}/requirements.txt"),
    StandIn(
        DEPLOY,
        "deploy",
        ("airflow:GetEnvironment", "airflow:UpdateEnvironment"),
        f"arn:aws:airflow:{ARN}:environment/{PREFIX}-mwaa-airflow",
    ),
    StandIn(DEPLOY, "deploy", ("airflow:InvokeRestApi",), f"arn:aws:airflow:{ARN}:role/{PREFIX}-mwaa-airflow/Op"),
    StandIn(MWAA, "airflow", ("airflow:PublishMetrics",), f"arn:aws:airflow:{ARN}:environment/{PREFIX}-mwaa-airflow"),
    StandIn(MWAA, "airflow", ("s3:GetBucketPublicAccessBlock", "s3:ListBucket"), BUCKET),
    StandIn(MWAA, "airflow", ("s3:GetObject", "s3:GetObjectVersion"), f"{BUCKET}/dags/file_to_batch.py"),
    StandIn(MWAA, "airflow", ("s3:GetAccountPublicAccessBlock",), "*"),
    StandIn(
        MWAA,
        "airflow",
        (
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:GetLogEvents",
            "logs:GetLogGroupFields",
            "logs:GetLogRecord",
            "logs:GetQueryResults",
            "logs:PutLogEvents",
        ),
        LOGS,
    ),
    StandIn(MWAA, "airflow", ("logs:DescribeLogGroups",), "*"),
    StandIn(MWAA, "airflow", ("cloudwatch:PutMetricData",), "*", {"cloudwatch:namespace": "AmazonMWAA"}),
    StandIn(
        MWAA,
        "airflow",
        (
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        ),
        CELERY,
    ),
    StandIn(
        MWAA,
        "airflow",
        ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
        MWAA_KEY,
        via("sqs"),
    ),
    StandIn(
        "MWAA's Secrets Manager backend reads the Variable; a local Airflow has it in its environment",
        "airflow",
        ("secretsmanager:GetSecretValue",),
        f"arn:aws:secretsmanager:{ARN}:secret:{PREFIX}/variables/filebatch-ANY",
    ),
    StandIn(ENCRYPTION, "airflow", ("kms:Decrypt",), KEY, via("secretsmanager")),
]
