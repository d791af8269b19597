"""Every move there is, made from few enough values that moves of different owners meet on the same item."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from aws import NOW
from filebatch.core import states
from filebatch.core.contract import FileVersion, Reason, Result, Work
from filebatch.core.states import Move

FEED = "orders"
FILE = FileVersion("new-files", "orders/a.csv", "v1", "0" * 32, 8, "2026-01-02T03:04:05.000Z")
KEY = states.file_key(FILE)
TOKENS = ("0123456789abcdef-0001", "fedcba9876543210-0001")
GENERATIONS = (1, 2)
REASON = Reason("bug", "ValueError: x", {"line": 1})
RUN_ID = "manual__2026-01-02"
LATER = NOW + timedelta(minutes=5)
HEARTBEAT = timedelta(minutes=15)
JOB = {"job_name": "orders-0123456789abcdef-0001-r1", "units": 2, "memory": 1024}


def result_of(token: str, generation: int, state: str = states.SUCCEEDED) -> Result:
    work = Work(FILE, "2026-01-02T00:00:00.000Z", generation, 1)
    reason = REASON if state == states.INVALID else None
    return Result(
        FEED, state, work, token, RUN_ID, "job", (), 3, reason, None, {}, {}, "0.1.0", "2026-01-02", "2026-01-02"
    )


def arrival() -> dict[str, Any]:
    return states.arrive(FILE, FEED, NOW, NOW)


def file_moves() -> dict[str, Move]:
    """Return moves of a file by name."""
    moves = {}
    for who, token in enumerate(TOKENS):
        for generation in GENERATIONS:
            done, bad = result_of(token, generation), result_of(token, generation, states.INVALID)
            moves |= {
                f"claim {who} g{generation}": states.claim(KEY, token, RUN_ID, generation, NOW),
                f"claim asked {who} g{generation}": states.claim(KEY, token, RUN_ID, generation, NOW, asked=True),
                f"redo {who} g{generation}": states.redo(KEY, token, RUN_ID, generation, NOW),
                f"finish {who} g{generation}": states.finish(KEY, token, done, "s3://r/_result.json", NOW),
                f"finish invalid {who} g{generation}": states.finish(KEY, token, bad, "s3://r/_result.json", NOW),
                f"adopt {who} g{generation}": states.finish(
                    KEY, token, replace(done, claim="another"), "s3://r/_result.json", NOW
                ),
            }
        moves |= {
            f"release {who}": states.release(KEY, token, FEED, NOW),
            f"trouble {who}": states.troubled(KEY, token, REASON),
            f"fail {who}": states.fail(KEY, token, FEED, REASON, retry=None, now=NOW),
            f"fail for now {who}": states.fail(KEY, token, FEED, REASON, retry=LATER, now=NOW, memory=2048),
        }
    return moves


def run_moves() -> dict[str, Move]:
    """Return moves of one run's owner record by name."""
    token = TOKENS[0]
    moves = {
        "claimed": states.claimed(FEED, token, 3, NOW),
        "heartbeat": states.heartbeat(FEED, token, heartbeat=HEARTBEAT, now=LATER),
        "settle": states.settle(FEED, token, {"SUCCEEDED": 3}, NOW),
        "announced": states.announced(FEED, token, NOW),
        "announcing": states.announcing(FEED, token, until=LATER, now=NOW),
        "announcing later": states.announcing(FEED, token, until=LATER + HEARTBEAT, now=LATER + HEARTBEAT),
    }
    for number in (1, 2):
        moves[f"start_round {number}"] = states.start_round(FEED, token, number, JOB, heartbeat=HEARTBEAT, now=NOW)
        moves[f"unit trouble {number}"] = states.unit_troubled(FEED, token, number, REASON)
        for job in ("j1", "j2"):
            moves[f"submitted {number} {job}"] = states.submitted(FEED, token, number, job)
            moves[f"fence {number} {job}"] = states.fence(FEED, token, number, job)
    return moves


def feed_moves() -> dict[str, Move]:
    """Return moves of a feed's bell, sweep and arrival by name."""
    return {
        "ring": states.ring(FEED, 1, seen=None, now=NOW),
        "ring again": states.ring(FEED, 2, seen="2026-03-01T12:00:00.000Z", now=LATER),
        "answered": states.answered(FEED, NOW),
        "answered before": states.answered(FEED, NOW - HEARTBEAT),
        "swept": states.swept(FEED, "definition", NOW, 1),
        "arrived": states.arrived(FEED, NOW),
    }


def run_record() -> dict[str, Any]:
    facts = {"run_id": RUN_ID, "epoch": 1, "cleared": 0, "why": "all that waits"}
    return states.open_run(FEED, TOKENS[0], facts, heartbeat=HEARTBEAT, now=NOW)


ALL = {**file_moves(), **run_moves(), **feed_moves()}
