"""What a settled claim's log says, with jobs that really ran and what their containers wrote."""

from dataclasses import replace

from botocore.exceptions import ClientError

from aws import feed_of, recorded
from claims import Held
from filebatch.core.records import FileState
from filebatch.runs import explaining, settling

EACH_ALONE = feed_of(packing={"files": 1})
SCRIPT = 'echo "child $AWS_BATCH_JOB_ARRAY_INDEX met with a problem"; exit 70'


def explained(held, ctx=None):
    settled = settling.read(held.ctx, held.record)
    return explaining.of(ctx or held.ctx, held.record, settled).lines


def ended(place, count=3):
    """A claim whose first file is done, whose second is INVALID, and of which a child's end left the others."""
    held = Held(place, count, EACH_ALONE)
    held.finish(0)
    held.finish(1, FileState.INVALID)
    settling.settle(held.ctx, held.record, held.job(SCRIPT))
    return held


def test_each_failed_and_each_invalid_file_has_its_reason_its_job_and_what_that_wrote(place):
    held = ended(place)
    told = explained(held)
    assert told[0] == "orders: 1 failed, 1 invalid, 1 succeeded of 3 files"
    for number, word in ((1, "quarantined"), (2, "attempt 1 of 3")):
        at = next(at for at, line in enumerate(told) if f"{held.files[number].key}'" in line)
        assert word in told[at]
        assert told[at + 1].startswith(f"    job {held.record.job}:{number}, log https://console.aws.amazon.com/")
        assert told[at + 2] == f"    | child {number} met with a problem"
    assert not any(held.files[0].key in line for line in told)
    failed = next(at for at, line in enumerate(told) if f"{held.files[2].key}'" in line)
    log = explaining.of(held.ctx, held.record, settling.read(held.ctx, held.record)).container_log
    assert told[failed + 1].endswith(f", log {log}")


def test_a_log_that_cant_be_read_is_one_line_and_the_files_are_named_all_the_same(place):
    held = ended(place)

    def connect(service):
        if service == "logs":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetLogEvents")
        return held.ctx.connect(service)

    told = explained(held, replace(held.ctx, connect=connect))
    assert [line for line in told if line.startswith("what the containers wrote can't be shown: ")]
    assert [line for line in told if held.files[2].key in line]


def test_units_that_are_gone_and_jobs_that_batch_forgot_hide_no_file(place):
    held = ended(place)
    gone = replace(held.record, round=9)
    settled = settling.read(held.ctx, held.record)
    told = explaining.of(held.ctx, gone, settled).lines
    assert [line for line in told if held.files[2].key in line]
    forgotten = replace(held.record, job_id="never", fence=None)
    told = explaining.of(held.ctx, forgotten, settled).lines
    assert [line for line in told if line == "    job never:2"]


def test_a_run_without_a_bad_file_asks_for_no_log(place):
    held = Held(place, 1)
    held.finish(0)
    settling.settle(held.ctx, held.record, None)
    with recorded(held.ctx.batch, "batch.DescribeJobs") as asked:
        told = explained(held)
    assert asked == []
    assert told[0] == "orders: 1 succeeded of 1 file"


def test_a_run_of_which_many_fail_asks_for_few_logs(place):
    held = ended(place, 9)
    logs_asked = recorded(held.ctx.connect("logs"), "logs.GetLogEvents")
    with logs_asked as logs, recorded(held.ctx.batch, "batch.DescribeJobs") as jobs:
        explained(held)
    assert (len(logs), len(jobs)) == (5, 1)
