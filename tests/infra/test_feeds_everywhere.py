"""A feed file means the same to Terraform as to the DAGs and the local AWS: the same documents, or the same refusal."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from filebatch.core.errors import FeedError
from filebatch.feeds.feed import Feed, load_feed
from filebatch_local.batch.images import ImageEnv
from filebatch_local.serve.background import local_aws
from infra.pretended import answers, made_by_terraform, terraform
from infra.terraform import ROOT, Workspace

pytestmark = pytest.mark.terraform

REFUSED = ROOT / "infra" / "tests" / "feeds" / "refused"
ECR = "210987654321.dkr.ecr.eu-central-1.amazonaws.com"
# What a regular expression, a cron expression or a format of dates is, Terraform can't tell.
PYTHON_ALONE = {"pattern", "schedule", "date_format", "day_prefix"}


def refused_by_terraform(feeds: Path, folder: Path) -> dict[str, str]:
    """Return file => why, of the feed files that the module `feeds` refuses."""
    made = terraform(feeds, folder)
    Workspace(made.folder / "probe", made.environment).init()
    faults = [each["diagnostic"]["detail"] for each in answers(made, "probe", "plan", "-json") if "diagnostic" in each]
    lines = [line for fault in faults for line in fault.splitlines() if ".yaml: " in line]
    return {line.split(": ")[0]: line for line in reversed(lines)}


def refused_by_python(feeds: Path) -> dict[str, FeedError]:
    found = {}
    for file in sorted(feeds.glob("*.yaml")):
        try:
            load_feed(file)
        except FeedError as error:
            found[file.name] = error
    return found


def of_any_environment(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container's properties without the names that each environment has of its own."""
    own = {"FILEBATCH_DIMENSIONS", "FILEBATCH_LEDGER", "FILEBATCH_NAMESPACE", "FILEBATCH_RESULTS_BUCKET"}
    kept = {
        name: value
        for name, value in container.items()
        if name not in {"jobRoleArn", "executionRoleArn", "logConfiguration"} and value != []  # moto adds empty lists
    }
    kept["environment"] = sorted(
        (each["name"], each["value"]) for each in kept["environment"] if each["name"] not in own
    )
    kept["resourceRequirements"] = {each["type"]: each["value"] for each in kept["resourceRequirements"]}
    return kept


HOSTILE = ['"', "\\", '"},{"prefix":"/', '","privileged":true,"x":"', "*", "/*", "?", "${image}", "%{ if true }", "$$"]
HOSTILE += ["\n", "\t", "\x00", "\x7f", "\u2028", "\u202e", "ä", "日", "'", "<b>", "&", " ", "~", "#", "]", "/", ":"]
odd = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=3).map("".join)
plain = st.text("abz019-_.", max_size=8)
IMAGES = ["busybox", "busybox:1", f"{ECR}/team/parser:3", f"{ECR}/a@sha256:{'0' * 64}", "localhost:5000/a/b"]


def usually(text: st.SearchStrategy[str], strange: st.SearchStrategy[str] = odd) -> st.SearchStrategy[str]:
    """Return a text that is usually what its field takes, so that most feeds have one strange field at most."""
    return st.tuples(text, st.integers(0, 9), strange).map(lambda drawn: drawn[0] + (drawn[2] if drawn[1] == 0 else ""))


TEXTS = st.fixed_dictionaries(
    {"image": usually(st.sampled_from(IMAGES)), "prefix": usually(plain)},
    optional={
        "description": usually(plain | st.sampled_from(["ä “b” \\ ", "日本"])),
        "pattern": usually(st.just("(?P<date>[^/]+)/.+")),
        "day_prefix": usually(st.just("%Y-%m-%d/")),
        "processor": usually(st.sampled_from(["tabular", "team.parsers:orders"])),
        "schedule": usually(st.sampled_from(["@daily", "0 0 * * 1-5"])),
        "expected_by": usually(st.sampled_from(["10:30", "23:59:59"])),
        "fail_run_on": usually(st.sampled_from(["failed", "never"])),
    },
)
SIZES = st.sampled_from([{}, {"vcpu": 0.25, "memory": 512}, {"vcpu": 1, "memory": 2048, "disk": 30, "timeout": 60}])
documents = st.tuples(TEXTS, SIZES).map(lambda drawn: {**drawn[0], **drawn[1]})


@pytest.mark.parametrize("file", sorted(REFUSED.glob("*.yaml")), ids=lambda each: each.stem)
def test_what_would_rewrite_the_infrastructure_is_refused_on_both_sides(
    refusals: Mapping[str, str], file: Path
) -> None:
    error = refused_by_python(REFUSED)[file.name]

    assert file.name in refusals
    told = {f"{file.name}: {each}".split(", found ")[0] for each in error.problems if each.field in {"image", "prefix"}}
    if told and not {each.found for each in error.problems} & {"nothing", "5"}:
        assert refusals[file.name].split(", found ")[0] in told


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return refused_by_terraform(REFUSED, tmp_path_factory.mktemp("refused"))


@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(documents, min_size=40, max_size=40))
def test_any_text_in_a_feed_gives_the_same_documents_or_the_same_refusal(
    tmp_path_factory: pytest.TempPathFactory, written: Sequence[Mapping[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("feeds")
    for number, fields in enumerate(written):
        document = {"start": "2026-01-01", **fields, "prefix": f"f{number:02}{fields['prefix']}/"}
        text = yaml.safe_dump(document, allow_unicode=True)
        (folder / f"feed-{number:02}.yaml").write_text(text, encoding="utf-8", newline="")

    python, here = refused_by_python(folder), refused_by_terraform(folder, tmp_path_factory.mktemp("refusals"))
    assert here.keys() <= python.keys()
    alone = [error for file, error in python.items() if file not in here]
    assert {problem.field for error in alone for problem in error.problems} <= PYTHON_ALONE

    for file in python:
        (folder / file).unlink()
    feeds = [load_feed(file) for file in sorted(folder.glob("*.yaml"))]
    made = made_by_terraform(folder, tmp_path_factory.mktemp("made"))
    containers, patterns = made_locally(feeds, folder)
    for feed in feeds:
        definition = made[f'module.batch.aws_batch_job_definition.feed["{feed.name}"]']["container_properties"]
        rule = made[f'module.events.aws_cloudwatch_event_rule.arrivals["{feed.name}"]']["event_pattern"]
        assert of_any_environment(json.loads(definition)) == of_any_environment(containers[feed.name])
        assert json.loads(rule)["detail"]["object"] == patterns[feed.name]["detail"]["object"]
        assert {json.loads(definition)[role] for role in ("jobRoleArn", "executionRoleArn")} == {
            "arn:aws:iam::123456789012:role/mocked"
        }
    pulls_what_the_feeds_name(feeds, made["outputs"]["policies"]["execution"])


def made_locally(feeds: Sequence[Feed], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the containers' properties and the rules' patterns of a local AWS, by feed."""
    images = {str(feed.image): ImageEnv(("/usr/bin", "/bin")) for feed in feeds}
    with local_aws(images=images, feeds_dir=folder) as aws:
        batch, events = aws.client("batch"), aws.client("events")
        definitions = batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
        found = {each["jobDefinitionName"]: each["containerProperties"] for each in definitions}
        names = {feed: f"{aws.settings['job_definition_prefix']}{feed}" for feed in aws.feeds}
        rules = {each["Name"]: json.loads(each["EventPattern"]) for each in events.list_rules()["Rules"]}
        return {feed: found[name] for feed, name in names.items()}, {feed: rules[name] for feed, name in names.items()}


def pulls_what_the_feeds_name(feeds: Sequence[Feed], policy: str) -> None:
    """Fail where the execution role may pull anything but the worker's image and those that feeds name."""
    (statement,) = [each for each in json.loads(policy)["Statement"] if each["Sid"] == "PullImages"]
    named = [re.fullmatch(rf"{re.escape(ECR)}/([^:@]+)[:@].+", str(feed.image)) for feed in feeds]
    wanted = {f"arn:aws:ecr:eu-central-1:210987654321:repository/{each[1]}" for each in named if each}
    assert not [arn for arn in statement["Resource"] if "*" in arn or "?" in arn]
    assert {arn for arn in statement["Resource"] if "210987654321" in arn} == wanted
