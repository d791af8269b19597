"""Each role may do what was really asked as it, and nothing else."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from golden import agrees
from infra import calls, judged, policies
from infra.applied import MWAA_PREFIX, PREFIX, Applied
from infra.policies import Call
from infra.stand_ins import EVERYWHERE, WITH_MWAA, StandIn

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]

# An Airflow that is there already, and Amazon MWAA with a CI that deploys.
ROLES = [("existing", "airflow"), ("existing", "execution"), ("existing", "job-lines")]
ROLES += [("mwaa", "airflow"), ("mwaa", "execution"), ("mwaa", "job-lines"), ("mwaa", "deploy")]
OTHER_FEEDS = ("daily", "tables", "weather")  # whose jobs do what those of `lines` do


@pytest.fixture(scope="module")
def policies_of(done: Applied, with_mwaa: Applied) -> Mapping[str, Mapping[str, Any]]:
    """The statements of each environment's roles, all in the names of one, whose key and secret are called ANY."""
    return {"existing": rendered(done), "mwaa": rendered(with_mwaa)}


@pytest.fixture(scope="module")
def made(done: Applied, with_mwaa: Applied) -> Mapping[str, Sequence[Call]]:
    """What was done as each environment's roles, and what stands for what can't be seen here."""
    seen = recorded(done) + recorded(with_mwaa)
    return {"existing": [*seen, *of(EVERYWHERE)], "mwaa": [*seen, *of(EVERYWHERE), *of(WITH_MWAA)]}


def rendered(environment: Applied) -> dict[str, Any]:
    """Return what Terraform made of each role's policy."""
    text = json.dumps(environment.outputs["policies"]).replace(MWAA_PREFIX, PREFIX)
    text = re.sub(r"key/[0-9a-f-]{36}", "key/ANY", text)
    found = json.loads(re.sub(r"variables/filebatch-\w{6}", "variables/filebatch-ANY", text))
    return {role: json.loads(policy)["Statement"] for role, policy in found.items()}


def recorded(environment: Applied) -> list[Call]:
    """Return what was done as each role."""
    text = environment.recording.read_text(encoding="utf-8").replace(MWAA_PREFIX, PREFIX)
    return calls.read(text.splitlines(), judged.role_of)


def of(stand_ins: Sequence[StandIn]) -> list[Call]:
    return [call for each in stand_ins for call in each.calls()]


@pytest.mark.parametrize(("environment", "role"), ROLES)
def test_a_role_may_do_what_was_asked_and_nothing_that_was_not(policies_of, made, environment, role) -> None:
    statements = policies_of[environment][role]
    asked = [call for call in made[environment] if call.role == role]

    assert policies.denied(statements, asked) == []
    assert policies.idle(statements, asked) == []
    assert policies.unused(statements, asked) == []


@pytest.mark.parametrize(("environment", "role"), ROLES)
def test_without_any_one_statement_the_check_fails(policies_of, made, environment, role) -> None:
    statements = policies_of[environment][role]
    asked = [call for call in made[environment] if call.role == role]

    assert len({each["Sid"] for each in statements}) == len(statements)
    for number in range(len(statements)):
        rest = [*statements[:number], *statements[number + 1 :]]
        assert policies.denied(rest, asked), f"nothing needs {statements[number]['Sid']}"


def test_no_role_is_left_out(policies_of) -> None:
    others = {(environment, f"job-{feed}") for environment in policies_of for feed in OTHER_FEEDS}
    assert {(environment, role) for environment, found in policies_of.items() for role in found} == {*ROLES, *others}


@pytest.mark.parametrize("feed", OTHER_FEEDS)
def test_the_jobs_of_every_feed_may_do_the_same_with_what_is_their_feeds(policies_of, feed) -> None:
    for found in policies_of.values():
        assert json.dumps(found[f"job-{feed}"]).replace(feed, "lines") == json.dumps(found["job-lines"])


def test_no_stand_in_is_for_what_a_request_shows(done: Applied, with_mwaa: Applied) -> None:
    assert not set(of([*EVERYWHERE, *WITH_MWAA])) & set(recorded(done) + recorded(with_mwaa))


def test_other_tests_are_judged_by_what_terraform_renders(done: Applied, policies_of) -> None:
    roles = {role: statements for role, statements in policies_of["existing"].items() if role != "execution"}
    assert agrees("roles", {"names": judged.names(done.settings), "policies": roles})
