"""What AWS bills for a round, from what DescribeJobs says: by the second, and a minute at least a container."""

from dataclasses import replace

import pytest

from aws import feed_of, recorded
from claims import Held
from filebatch.core import run_moves
from filebatch.core.usage import Billed, Usage
from filebatch.queries import health
from filebatch.runs import billing, jobs, processing
from moves import NOW, RUN_ID, run_record

SPOT = "acme-batch-spot-"
START = 1_767_322_800_000


def attempt(milliseconds, environment="acme-batch-fargate-20260101"):
    task = f"arn:aws:ecs:eu-west-1:123456789012:task/{environment}_Batch_1234/0123"
    return {"startedAt": START, "stoppedAt": START + milliseconds, "container": {"taskArn": task}}


def job(*attempts, vcpu="0.5", memory="1024"):
    needs = [{"type": "VCPU", "value": vcpu}, {"type": "MEMORY", "value": memory}]
    return {"container": {"resourceRequirements": needs}, "attempts": list(attempts)}


@pytest.mark.parametrize(("milliseconds", "seconds"), [(0, 60), (1, 60), (60_000, 60), (60_001, 61), (3_600_000, 3600)])
def test_an_attempt_is_billed_by_the_second_begun_and_for_a_minute_at_least(milliseconds, seconds):
    """https://aws.amazon.com/fargate/pricing/"""
    assert billing.seconds(attempt(milliseconds)) == seconds


@pytest.mark.parametrize("missing", ["startedAt", "stoppedAt"])
def test_an_attempt_that_never_ran_or_has_not_ended_is_not_billed_yet(missing):
    found = {name: value for name, value in attempt(1).items() if name != missing}
    assert billing.seconds(found) == 0
    assert billing.of_job(job(found), SPOT) == Billed()


def test_each_attempt_of_a_job_is_billed():
    assert billing.of_job(job(attempt(10_000), attempt(120_000)), SPOT) == Billed(2, on_demand=Usage(90, 180))


def test_what_ran_on_spot_is_told_apart_by_its_cluster():
    mixed = job(attempt(1, "acme-batch-spot-20260101"), attempt(1))
    assert billing.of_job(mixed, SPOT) == Billed(2, on_demand=Usage(30, 60), spot=Usage(30, 60))
    elsewhere = job(attempt(1, "my-acme-spot-batch-fargate-1"))
    assert billing.of_job(elsewhere, SPOT).spot == Usage()


@pytest.mark.parametrize("described", [{}, {"attempts": []}, {"container": {}, "attempts": [attempt(1)]}])
def test_a_description_without_sizes_or_attempts_says_nothing_of_what_was_taken(described):
    assert billing.of_job(described, SPOT).usage == Usage()


def test_a_round_is_all_its_children():
    assert billing.of_round([job(attempt(1)), job(attempt(90_000))], 2, SPOT) == Billed(2, Usage(75, 150))


def test_children_that_were_not_asked_about_are_taken_to_be_like_the_others():
    found = billing.of_round([job(attempt(1))] * 99, 198, SPOT)
    assert found == Billed(198, Usage(198 * 30, 198 * 60), estimated=True)


@pytest.mark.parametrize("units", [1, 2, 99, 100, 10_000])
def test_a_round_is_described_in_one_request_whatever_its_size(units):
    asked = []

    class Batch:
        def describe_jobs(self, jobs):
            asked.append(jobs)
            return {"jobs": [{"jobId": each} for each in jobs]}

    found, containers = jobs.describe_round(Batch(), "job", units)
    assert found == {"jobId": "job"}
    assert len(containers) == min(units, 99)
    assert len(asked) == 1
    assert len(set(asked[0])) == len(asked[0]) <= 100
    numbers = [int(each["jobId"].split(":")[1]) for each in containers if ":" in each["jobId"]]
    assert all(0 <= number < units for number in numbers)
    assert not numbers or units - 1 - max(numbers) <= units // 99


def test_a_job_that_batch_does_not_know_is_billed_nothing_that_is_known():
    class Batch:
        def describe_jobs(self, jobs):
            return {"jobs": []}

    assert jobs.describe_round(Batch(), "job", 3) == (None, [])


def test_rounds_add_up_and_a_round_that_is_settled_again_counts_once():
    first = replace(run_record(), round=1)
    told = run_moves.settle(first, {"FAILED": 1}, NOW, Billed(1, Usage(30.2, 60)))
    first = replace(first, **{name: value for name, value in told.become.items() if name.startswith("billed")})
    again = run_moves.settle(first, {"FAILED": 1}, NOW, Billed(1, Usage(30.2, 60)))
    assert again.become == told.become
    second = replace(first, round=2)
    told = run_moves.settle(second, {"SUCCEEDED": 1}, NOW, Billed(2, Usage(5, 6), Usage(7, 8), estimated=True))
    second = replace(second, **{name: value for name, value in told.become.items() if name.startswith("billed")})
    assert billing.of_record(first) == Billed(1, Usage(31, 60))
    assert billing.of_record(second) == Billed(3, Usage(36, 66), Usage(7, 8), estimated=True)
    assert billing.of_record(second, round_only=True) == Billed(2, Usage(5, 6), Usage(7, 8), estimated=True)
    assert billing.of_record(run_record()) is None


def test_a_round_whose_job_is_unknown_has_no_bill_of_its_own():
    first = replace(run_record(), round=2, billed_containers={"1": 1}, billed_vcpu_seconds={"1": 30})
    assert billing.of_record(first, round_only=True) == Billed()
    assert {datum["MetricName"] for datum in health.of_run("orders", first)} == {"RunCompleted", "FilesClaimed"}


def test_metrics_tell_of_the_latest_round_alone():
    record = replace(
        run_record(),
        round=2,
        billed_containers={"1": 1, "2": 1},
        billed_vcpu_seconds={"1": 30, "2": 40, "2-spot": 2},
        billed_gib_seconds={"1": 60, "2": 80, "2-spot": 4},
    )
    told = {datum["MetricName"]: datum["Values"] for datum in health.of_run("orders", record)}
    assert (told["BilledVcpuSeconds"], told["BilledGibSeconds"]) == ([42], [84])


def test_settling_writes_down_what_an_array_is_billed_in_the_request_that_it_makes_anyway(place):
    held = Held(place, 3, feed_of(packing={"files": 1}))
    held.finish(0)
    held.finish(1)
    held.finish(2)
    ended = held.job("exit 0")
    with recorded(held.ctx.batch, "batch.DescribeJobs") as calls:
        processing.settle(held.ctx, held.record, ended["jobId"])
    assert calls == [{"jobs": [ended["jobId"], *(f"{ended['jobId']}:{index}" for index in range(3))]}]
    needs = {each["type"]: float(each["value"]) for each in ended["container"]["resourceRequirements"]}
    found = billing.of_record(held.record)
    assert found == Billed(3, Usage(3 * 60 * needs["VCPU"], 3 * 60 * needs["MEMORY"] / 1024))
    assert held.record.run_id == RUN_ID
