import re

from aws import ROOT, feed_of
from filebatch.feeds import settings
from filebatch.runs.context import FeedContext
from golden import golden

SERVICES = ("dynamodb", "s3", "sqs", "batch", "sns", "cloudwatch")


def test_a_client_is_made_when_it_is_first_needed_and_once():
    made = []

    def connect(service):
        made.append(service)
        return object()

    ctx = FeedContext(feed_of(), settings.parse(golden("settings")), connect)
    assert made == []
    for service in SERVICES[1:]:
        assert getattr(ctx, service) is getattr(ctx, service)
    assert ctx.ledger is ctx.ledger
    assert sorted(made) == sorted(SERVICES)


def test_the_desk_tells_outcomes_in_the_environments_namespace():
    ctx = FeedContext(feed_of(), settings.parse(golden("settings")), lambda service: service)
    told = ctx.outcomes()
    assert (told.publisher.namespace, told.feed, told.ledger.table) == (
        "filebatch/filebatch-test",
        "orders",
        "filebatch-test-ledger",
    )
    assert ctx.outcomes() is not told


def test_one_place_says_which_bucket_results_are_in():
    code = {file.name: file.read_text() for file in (ROOT / "plugins" / "filebatch").rglob("*.py")}
    assert [name for name, text in code.items() if re.search(r"buckets\[.results.\]", text)] == ["settings.py"]
