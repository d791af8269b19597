"""Each role may do what was really asked as it, and nothing else."""

from collections.abc import Mapping, Sequence

import pytest

from filebatch_local.images import CREDENTIALS
from infra import calls, policies
from infra.applied import PREFIX, REGION, Applied
from infra.policies import Call

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]

ROLES = {"airflow": "airflow", CREDENTIALS["AWS_ACCESS_KEY_ID"]: "job"}

# What AWS's own parts do as a role, or a role through them, and no local request shows.
FARGATE = "Fargate pulls the image and writes the logs, and there is none here"
OF_AWS: Mapping[str, Sequence[tuple[str, str, str, dict[str, str]]]] = {
    "execution": [
        (FARGATE, "ecr:GetAuthorizationToken", "*", {}),
        *[
            (FARGATE, f"ecr:{action}", f"arn:aws:ecr:{REGION}:{calls.ACCOUNT}:repository/{PREFIX}-registry-worker", {})
            for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
        ],
        *[
            (
                FARGATE,
                f"logs:{action}",
                f"arn:aws:logs:{REGION}:{calls.ACCOUNT}:log-group:{PREFIX}-batch-jobs:log-stream:a",
                {},
            )
            for action in ("CreateLogStream", "PutLogEvents")
        ],
    ],
    "airflow": [
        ("SQS decrypts what Airflow receives", "kms:Decrypt", "KEY", {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}),
        (
            "SNS encrypts what Airflow publishes",
            "kms:GenerateDataKey",
            "KEY",
            {"kms:ViaService": f"sns.{REGION}.amazonaws.com"},
        ),
    ],
    "job": [],
}


@pytest.fixture(scope="module")
def made(done: Applied) -> list[Call]:
    """What both roles did, and what AWS does as them or through them."""
    aliases = done.client("kms").list_aliases()["Aliases"]
    key_id = next(each["TargetKeyId"] for each in aliases if each["AliasName"] == f"alias/{PREFIX}-keys-messages")
    key = f"arn:aws:kms:{REGION}:{calls.ACCOUNT}:key/{key_id}"
    of_aws = [
        Call(role, action, resource.replace("KEY", key), tuple(context.items()))
        for role, each in OF_AWS.items()
        for _, action, resource, context in each
    ]
    return [*calls.read(done.recording, ROLES), *of_aws]


@pytest.mark.parametrize("role", ["airflow", "execution", "job"])
def test_a_role_may_do_what_was_asked_and_nothing_that_was_not(done: Applied, made: list[Call], role: str) -> None:
    statements, asked = done.statements(role), [call for call in made if call.role == role]

    assert policies.denied(statements, asked) == []
    assert policies.idle(statements, asked) == []
    assert policies.unused(statements, asked) == []


@pytest.mark.parametrize("role", ["airflow", "execution", "job"])
def test_without_any_one_statement_the_check_fails(done: Applied, made: list[Call], role: str) -> None:
    statements, asked = done.statements(role), [call for call in made if call.role == role]

    assert len({each["Sid"] for each in statements}) == len(statements)
    for number in range(len(statements)):
        rest = [*statements[:number], *statements[number + 1 :]]
        assert policies.denied(rest, asked), f"nothing needs {statements[number]['Sid']}"
