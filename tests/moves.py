"""Every move there is, made from few enough values that moves of different owners meet on the same item."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from aws import NOW
from fake_table import FakeTable
from filebatch.core import feed_moves, file_moves, run_moves
from filebatch.core.clock import to_iso
from filebatch.core.contract import FileVersion, Reason, Result, Work
from filebatch.core.feed_records import Arrival, Breaker, Sweeping
from filebatch.core.file_moves import FileFailure
from filebatch.core.moves import Move
from filebatch.core.record import Record
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.run_moves import Asked, RoundJob
from filebatch.core.usage import Billed, Usage

FEED = "orders"
FILE = FileVersion("new-files", "orders/a.csv", "v1", "0" * 32, 8, "2026-01-02T03:04:05.000Z")
KEY = FileRecord.at(FILE)
TOKENS = ("0123456789abcdef-0001", "fedcba9876543210-0001")
OWN, OTHER = TOKENS
GENERATIONS = (1, 2)
REASON = Reason("bug", "ValueError: x", {"line": 1})
RUN_ID = "manual__2026-01-02"
LATER = NOW + timedelta(minutes=5)
HEARTBEAT = timedelta(minutes=15)
SWEEPING = Sweeping(
    pk="feed#orders", sk="sweeping", began=to_iso(NOW), definition="definition", after_key="orders/a", after_version="v"
)
BREAKER = Breaker(
    pk="feed#orders", sk="breaker", failed=2, rounds=1, code="bug", noted=f"{OWN}/1", held_until=to_iso(LATER)
)
JOB_NAME = "orders-0123456789abcdef-0001-r1"


def result_of(token: str, generation: int, state: str = FileState.SUCCEEDED) -> Result:
    work = Work(FILE, "2026-01-02T00:00:00.000Z", generation, 1)
    reason = REASON if state == FileState.INVALID else None
    return Result(
        FEED, state, work, token, RUN_ID, "job", (), 3, reason, None, {}, {}, None, "0.1.0", "2026-01-02", "2026-01-02"
    )


def arrival() -> FileRecord:
    return file_moves.arrive(FILE, FEED, NOW, NOW)


def of_files() -> dict[str, Move]:
    """Return moves of a file by name."""
    moves: dict[str, Move] = {}
    for generation in GENERATIONS:
        moves |= {
            f"await redo g{generation}": file_moves.await_redo(KEY, FEED, generation, NOW),
            f"await retry g{generation}": file_moves.await_retry(KEY, FEED, generation, LATER + HEARTBEAT),
        }
    moves["forget"] = file_moves.forget(arrival(), "anna", "a person asked", NOW)
    for who, token in enumerate(TOKENS):
        for generation in GENERATIONS:
            done, bad = result_of(token, generation), result_of(token, generation, FileState.INVALID)
            moves |= {
                f"claim {who} g{generation}": file_moves.claim(KEY, token, RUN_ID, generation, NOW),
                f"claim asked {who} g{generation}": file_moves.claim(KEY, token, RUN_ID, generation, NOW, asked=True),
                f"redo {who} g{generation}": file_moves.redo(KEY, token, RUN_ID, generation, NOW),
                f"finish {who} g{generation}": file_moves.finish(KEY, token, done, "s3://r/_result.json", NOW),
                f"finish invalid {who} g{generation}": file_moves.finish(KEY, token, bad, "s3://r/_result.json", NOW),
                f"finish no rows {who} g{generation}": file_moves.finish(
                    KEY, token, replace(done, rows=None), "s3://r/_result.json", NOW
                ),
                f"adopt {who} g{generation}": file_moves.finish(
                    KEY, token, replace(done, claim="another"), "s3://r/_result.json", NOW
                ),
            }
        moves |= {
            f"release {who}": file_moves.release(held_by(token), NOW),
            f"release suspect {who}": file_moves.release(held_by(token), NOW, suspect=True),
            f"trouble {who}": file_moves.trouble(KEY, token, REASON, NOW),
            f"fail {who}": file_moves.fail(KEY, token, FEED, FileFailure(REASON), retry=None, now=NOW),
            f"fail attempt {who}": file_moves.fail(
                KEY, token, FEED, FileFailure(REASON), retry=None, now=NOW, attempt=2
            ),
            f"fail for now {who}": file_moves.fail(
                KEY, token, FEED, FileFailure(REASON, 2048, suspect=True), retry=LATER, now=NOW
            ),
        }
    return moves


def held_by(token: str) -> FileRecord:
    """Return the file as this claim took it."""
    return replace(arrival(), state=FileState.CLAIMED, claim=token, claimed_at="2026-03-01T12:00:00.000Z")


def of_runs() -> dict[str, Move]:
    """Return moves of one run's owner record by name."""
    token = TOKENS[0]
    moves = {
        "claimed": run_moves.claimed(in_round(0), 3, NOW),
        "heartbeat": run_moves.heartbeat(FEED, token, timeout=HEARTBEAT, now=LATER),
    }
    for number in (0, 1, 2):
        record = in_round(number)
        moves |= {
            f"settle {number}": run_moves.settle(record, {"SUCCEEDED": 3}, NOW),
            f"announced {number}": run_moves.announced(record, NOW),
            f"put off {number}": run_moves.put_off(record, LATER, NOW),
            f"postpone {number}": run_moves.postpone(record, LATER),
            f"told unsettled {number}": run_moves.told_unsettled(record, NOW),
        }
    for number in (1, 2):
        before, record = in_round(number - 1), in_round(number)
        moves[f"begin_round {number}"] = run_moves.begin_round(before, JOB_NAME, timeout=HEARTBEAT, now=NOW)
        moves[f"written {number}"] = run_moves.round_written(record, RoundJob(units=2, memory=1024))
        moves[f"unit trouble {number}"] = run_moves.unit_trouble(FEED, token, number, REASON)
        for job in ("j1", "j2"):
            moves[f"submitted {number} {job}"] = run_moves.submitted(record, job)
            moves[f"fence {number} {job}"] = run_moves.fence(FEED, token, number, job)
    return moves | {
        "settle again 2 with a bill": run_moves.settle(
            in_round(2), {"SUCCEEDED": 3}, NOW, Billed(3, Usage(30, 60), Usage(15.5, 31), estimated=True)
        ),
        "announcing": run_moves.announcing(in_round(0), until=LATER, now=NOW),
        "announcing again": run_moves.announcing(
            in_round(0), until=LATER + timedelta(seconds=1), now=NOW + timedelta(seconds=1)
        ),
        "told unsettled again 0": run_moves.told_unsettled(in_round(0), LATER),
        "announcing later": run_moves.announcing(in_round(0), until=LATER + HEARTBEAT, now=LATER + HEARTBEAT),
    }


def in_round(number: int) -> RunRecord:
    """Return the run's record as somebody read it in a round."""
    return replace(run_record(), round=number)


def of_feeds() -> dict[str, Move]:
    """Return moves of a feed's bell, sweep and arrival by name."""
    return {
        "ring": feed_moves.ring(FEED, 1, seen=None, now=NOW),
        "ring too": feed_moves.ring(FEED, 1, seen=None, now=NOW + timedelta(milliseconds=1)),
        "ring again": feed_moves.ring(FEED, 2, seen="2026-03-01T12:00:00.000Z", now=LATER),
        "answered": feed_moves.answered(FEED, NOW),
        "answered before": feed_moves.answered(FEED, NOW - HEARTBEAT),
        "sweeping": feed_moves.sweeping(FEED, SWEEPING),
        "swept": feed_moves.swept(FEED, "definition", NOW, 1),
        "unswept": feed_moves.unswept(FEED),
        "arrived": feed_moves.arrived(FEED, "orders/", to_iso(NOW), LATER),
        "known": feed_moves.known(FEED, "orders/", LATER),
        "left": feed_moves.left(
            Arrival(pk="feed#orders", sk="arrival", arrived_at=to_iso(NOW), open="prefix#orders/", due_at=to_iso(LATER))
        ),
        "broken": feed_moves.broken(None, BREAKER),
        "broken again": feed_moves.broken(BREAKER, replace(BREAKER, failed=4, rounds=2, noted=f"{OTHER}/1")),
        "probing": feed_moves.probing(BREAKER, "0123456789abcdef", LATER),
        "mended": feed_moves.mended(BREAKER),
    }


def run_record() -> RunRecord:
    return run_moves.begin(FEED, TOKENS[0], Asked(RUN_ID, 1, 0, "all that waits"), timeout=HEARTBEAT, now=NOW)


ALL = {**of_files(), **of_runs(), **of_feeds()}

# What brings a file that has just arrived into each state.
IN_STATE = {
    "ARRIVED": (),
    "CLAIMED": ("claim 0 g1",),
    "SUCCEEDED": ("claim 0 g1", "finish 0 g1"),
    "INVALID": ("claim 0 g1", "finish invalid 0 g1"),
    "FAILED": ("claim 0 g1", "fail 0"),
}


def after(*names: str, records: Sequence[Record] = ()) -> FakeTable:
    """Return a table in which these moves were made, each of them."""
    table = FakeTable()
    for record in records or [arrival(), run_record()]:
        table.add(record)
    for name in names:
        assert table.try_move(ALL[name]).done, name
    return table


def refused(table: FakeTable, *names: str) -> bool:
    """Check that a table refuses moves, and stays as it is."""
    before = {key: dict(item) for key, item in table.items.items()}
    for name in names:
        assert not table.try_move(ALL[name]).done, name
    assert table.items == before
    return True
