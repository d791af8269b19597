"""A thousand files of which thirty fail in four ways, and one that kills its container: how far the harm goes."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest

from filebatch.core import paths, round_file
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord, RunRecord
from filebatch.runs import processing
from simulation import plan as plans
from simulation.plan import Drop
from simulation.world import FEED, RESULTS, TABLE, World

R = TypeVar("R", RunRecord, FileRecord)

BAD = {"invalid": 8, "wordy": 8, "bug": 7, "later": 7}  # two ways of the supplier's, two of ours
PILL = "kills"
CONTENTS = [*(content for content, number in BAD.items() for _ in range(number)), PILL]
FILES = 1000
# Spread over all units.
OF = {number * (FILES // len(CONTENTS)): content for number, content in enumerate(CONTENTS)}


def name(number: int) -> str:
    return f"2026-01-01/f{number:04}.csv"


@pytest.fixture(scope="module")
def world():
    """All of it, once it has come to rest; the DAG is paused until all files are there, so that one run takes them."""
    drops = tuple(Drop(number / 1000, name(number), OF.get(number, "good")) for number in range(FILES))
    feed = {"max_attempts": 2, "packing": {"files": 100}}
    found = World(replace(plans.drawn(7), faults={}, mishaps={}, hot=(), acts=(), chaos=300.0, drops=drops, feed=feed))
    found.airflow.paused = True
    complaints = []
    real = processing.complaint
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(processing, "complaint", lambda *told: complaints.append(real(*told)) or complaints[-1])
        found.run()
    found.complaints = [complaint for complaint in complaints if complaint]
    return found


@dataclass(frozen=True)
class Took:
    """What a claim took: the contents of its files, by unit of its first round."""

    units: list[list[str]]

    @property
    def files(self) -> Counter[str]:
        return Counter(content for unit in self.units for content in unit)


def took(world: World) -> list[Took]:
    """Return what each claim took, in the order of the claims."""
    runs = sorted(of_kind(world, RunRecord), key=lambda run: run.opened_at)
    keys = [paths.round_units(FEED, run.token, 1) for run in runs if run.files]
    units = [round_file.decode(world.aws.s3.get_object(Bucket=RESULTS, Key=key)["Body"].read()) for key in keys]
    return [Took([[content_of(work.file.key) for work in unit.files] for unit in each]) for each in units]


def of_kind(world: World, kind: type[R]) -> list[R]:
    return [record for record in Ledger(world.aws.client("dynamodb"), TABLE).scan() if isinstance(record, kind)]


def content_of(key: str) -> str:
    return OF.get(int(key[-8:-4]), "good")


def test_one_job_takes_all_of_them(world):
    first = took(world)[0]
    assert [len(unit) for unit in first.units] == [100] * 10
    assert first.files == Counter({"good": FILES - len(CONTENTS), PILL: 1, **BAD})
    jobs = [job for job in world.aws.batch.jobs.values() if job.parent is None]
    assert len(jobs) == len(took(world))


def test_its_failure_is_one_that_can_be_read(world):
    (told,) = [complaint for complaint in world.complaints if " of 9" in complaint.splitlines()[0]]
    lines = told.splitlines()
    assert len(lines) <= 12
    assert all(re.match(r"'orders/2026-01-01/f\d{4}\.csv': (bug|transient): ", line) for line in lines[1:11])


def test_later_runs_try_only_what_may_succeed(world):
    """What has FAILED, and what waits again as the container that it shared has died; nothing that is done."""
    later = sum((each.files for each in took(world)[1:]), Counter())
    assert (later["bug"], later["later"], later[PILL]) == (BAD["bug"], BAD["later"], 1)
    never_begun = later["good"] + later["invalid"] + later["wordy"]
    assert 0 < never_begun < 100


def test_what_killed_its_container_is_alone_in_the_next(world):
    (again,) = [unit for each in took(world)[1:] for unit in each.units if PILL in unit]
    assert again == [PILL]


def test_in_the_end_all_are_what_they_can_be(world):
    found = Counter((content_of(file.key), str(file.state), file.attempts) for file in of_kind(world, FileRecord))
    good = FILES - len(CONTENTS)
    ends = {"invalid": ("INVALID", 1), "wordy": ("INVALID", 1), "bug": ("FAILED", 2), "later": ("FAILED", 2)}
    assert found == {
        ("good", "SUCCEEDED", 1): good,
        (PILL, "FAILED", 2): 1,
        **{(content, *end): BAD[content] for content, end in ends.items()},
    }
