"""What is said of a file in each state, for each failure, and on each way of not being in the ledger: word for word.

`WRITE_GOLDEN=1` writes tests/golden/why.json anew; read it as somebody would who is woken by it.
"""

import json
from dataclasses import replace
from datetime import timedelta

from aws import NOW, feed_of
from filebatch.core import clock, failures, run_moves
from filebatch.core.contract import FileVersion, Reason
from filebatch.core.records import FileState
from filebatch.core.run_moves import Asked
from filebatch.queries import advice
from filebatch.queries.story import Lying, Story
from filebatch.runs import breaker
from golden import agrees
from moves import BREAKER, FEED, OWN, RUN_ID, after, arrival, held_by

RULES = feed_of(FEED, pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/[a-z]+\.csv", start="2026-01-01")
KEY = "orders/2026-01-02/a.csv"
AT = clock.to_iso(NOW)
LATER = NOW + timedelta(hours=1)


def version(key=KEY, size=8):
    return FileVersion("new-files", key, "v1", "0" * 32, size, AT)


LIES = Lying(version())
HELD = breaker.why(replace(BREAKER, held_until=AT))


def unknown(key=KEY, lying=None, **known):
    return advice.of_story(Story(key, RULES, (), Lying(version(key)) if lying is None else lying, **known), LATER)


def known(record, lying=LIES, now=LATER, run=None, others=0, held=None):
    record = replace(record, pk=f"s3://new-files/{KEY}", key=KEY)
    return advice.of_story(Story(KEY, RULES, [record] * (1 + others), lying, run, held=held), now)


def run_that(**is_so):
    begun = run_moves.begin(FEED, OWN, Asked(RUN_ID, 1, 0, "all"), timeout=timedelta(minutes=15), now=LATER)
    return replace(begun, **is_so)


def of_unknown_keys():
    return {
        "no feed": advice.of_no_feed("elsewhere/a.csv", [RULES]),
        "no feed of many": advice.of_no_feed("elsewhere/a.csv", [RULES] * 12),
        "no feed at all": advice.of_no_feed("elsewhere/a.csv", []),
        "not there": unknown(lying=Lying()),
        "not there, and no such name": unknown("orders/2026-01-02/a.CSV", lying=Lying()),
        "deleted": unknown(lying=Lying(deleted_at=AT)),
        "no pattern matches its end": unknown("orders/2026-01-02/a.csvx"),
        "no pattern matches from somewhere on": unknown("orders/2026-01-02/A.csv"),
        "it ends too early": unknown("orders/2026-01-02/a"),
        "before start": unknown("orders/2025-12-31/a.csv"),
        "a marker": unknown("orders/2026-01-02/", Lying(version("orders/2026-01-02/", 0))),
        "not swept yet, as none was": unknown(),
        "not swept yet since it came": unknown(swept_at=AT),
        "its event in the dead-letter queue": unknown(dead=True),
        "a sweep should have seen it": unknown(swept_at=clock.to_iso(LATER)),
    }


def of_failures():
    failed = after("claim 0 g1", "fail 0").get(arrival().row)
    codes = [*failures.document()["failures"], "code_of_a_processor"]
    return {f"FAILED {code}": known(replace(failed, reason=Reason(code, "what it says"))) for code in codes}


def of_states():
    claimed = replace(held_by(OWN), run_id=RUN_ID, attempts=1)
    done = after("claim 0 g1", "finish 0 g1").get(arrival().row)
    failed = after("claim 0 g1", "fail 0").get(arrival().row)
    forgotten = after("forget").get(arrival().row)
    silent = run_that(due_at=AT, job_id="job-1", round=1)
    return {
        "ARRIVED": known(arrival(), now=NOW),
        "ARRIVED, for an hour": known(arrival()),
        "ARRIVED, of a feed that is held": known(arrival(), held=HELD),
        "CLAIMED": known(claimed, run=run_that()),
        "CLAIMED, at work": known(claimed, run=run_that(job_id="job-1", round=1)),
        "CLAIMED, in trouble": known(replace(claimed, trouble=Reason("transient", "SlowDown")), run=run_that()),
        "CLAIMED by a closed claim": known(claimed),
        "CLAIMED by a run that is silent": known(claimed, run=silent),
        "SUCCEEDED": known(done),
        "SUCCEEDED, rows unknown": known(replace(done, rows=None)),
        "INVALID": known(after("claim 0 g1", "finish invalid 0 g1").get(arrival().row)),
        "FAILED, tried again later": known(after("claim 0 g1", "fail for now 0").get(arrival().row)),
        "FAILED, of a feed that is held": known(after("claim 0 g1", "fail for now 0").get(arrival().row), held=HELD),
        "FAILED, no reason written": known(replace(failed, reason=None)),
        "FAILED, gone since": known(failed, lying=Lying()),
        "FAILED, deleted since": known(failed, lying=Lying(deleted_at=AT)),
        "forgotten": known(forgotten, lying=Lying()),
        "SUCCEEDED, deleted since": known(done, lying=Lying(deleted_at=AT)),
        "SUCCEEDED, gone since": known(done, lying=Lying()),
        "SUCCEEDED, a newer version lies there": known(done, lying=Lying(replace(version(), version_id="v2"))),
        "SUCCEEDED, of three versions": known(done, others=2),
    }


def test_what_is_said_of_a_file_is_word_for_word():
    told = of_unknown_keys() | of_states() | of_failures()
    said = {name: {"state": each.state, "said": list(each.said), "next": each.next} for name, each in told.items()}
    assert agrees("why", said)


def test_there_is_a_sentence_of_each_state_and_each_failure_and_something_to_do_about_it():
    told = of_unknown_keys() | of_states() | of_failures()
    assert {*FileState} <= {each.state for each in told.values()}
    assert all(each.next and each.said for each in told.values())
    assert "{" not in json.dumps([each.next for each in told.values()]).replace(RULES.pattern.replace("\\", "\\\\"), "")
