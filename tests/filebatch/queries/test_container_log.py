"""What the container wrote that did a file last, found by the file's key."""

from aws import feed_of
from claims import Held
from filebatch.queries import container_log, documents
from filebatch.runs import settling

EACH_ALONE = feed_of(packing={"files": 1})


def test_a_key_has_the_log_of_the_child_that_did_it(place):
    held = Held(place, 2, EACH_ALONE)
    settling.settle(held.ctx, held.record, held.job('echo "child $AWS_BATCH_JOB_ARRAY_INDEX"; exit 70'))
    for number, file in enumerate(held.files):
        found = documents.of_log(container_log.of_key(held.ctx, file.key))
        assert found["job"] == f"{held.record.job}:{number}"
        assert found["lines"] == [f"child {number}"]
        assert (
            found["job_url"] == f"https://console.aws.amazon.com/batch/home?region=eu-west-1#jobs/detail/{found['job']}"
        )
        assert found["url"].startswith("https://console.aws.amazon.com/cloudwatch/")


def test_a_key_that_nobody_began_or_knows_has_none(place):
    held = Held(place, 1)
    assert container_log.of_key(held.ctx, held.files[0].key) is None
    assert container_log.of_key(held.ctx, "orders/unknown.csv") is None
    assert documents.of_log(None) == {"job": None, "job_url": None, "url": None, "lines": []}
