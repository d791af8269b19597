"""The Files page's data: who gets it, what it says, and the runs that it starts."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from urllib.parse import quote

import pytest

from aws import ROOT, feed_of
from claims import Held
from filebatch.core import clock, file_moves, results
from filebatch.intake import listing
from filebatch.queries import verbs
from filebatch.runs import breaker
from filebatch.web import one_file
from filebatch.web import place as web_place
from files_page import ARRIVED, DONE, FAILED, HOSTILE, MARKUP, PROFILE, WHY
from moves import BREAKER

pytestmark = pytest.mark.airflow

EVERYTHING = (
    "/filebatch/page",
    "/filebatch/page.js",
    "/filebatch/page.css",
    "/filebatch/api/feeds",
    "/filebatch/api/held?feed=orders",
    "/filebatch/api/files?feed=orders",
    f"/filebatch/api/file?feed=orders&key={quote(FAILED)}",
    "/filebatch/api/run?feed=orders&run=manual__1",
    f"/filebatch/api/log?feed=orders&key={quote(FAILED)}",
)
RETRY = {"feed": "orders", "action": "retry", "keys": [FAILED], "reason": "partner sent it again"}


def test_clients_are_made_once_for_all_requests_of_a_minute(monkeypatch):
    """Making them takes longer than most answers."""
    made, moment = [], [0.0]
    monkeypatch.setattr(web_place, "connector", lambda *of: made.append(of) or (lambda service: f"{service} {of}"))
    monkeypatch.setattr(web_place, "monotonic", lambda: moment[0])
    web_place._made.cache_clear()
    connects = [web_place._kept("aws_default", "eu-west-1") for _ in range(3)]
    assert {connect("s3") for connect in connects} == {"s3 ('aws_default', 'eu-west-1')"}
    assert len(made) == 1
    moment[0] = web_place.KEPT
    web_place._kept("aws_default", "eu-west-1")
    assert len(made) == 2
    web_place._made.cache_clear()


@pytest.mark.parametrize("path", EVERYTHING)
def test_nobody_gets_anything_without_a_login(page, path):
    assert page.ask(path, user=None).status_code == 401


def test_nobody_acts_without_a_login(page):
    assert page.ask("/filebatch/api/act", None, "POST", RETRY).status_code == 401


@pytest.mark.parametrize("path", EVERYTHING[4:])
def test_whom_airflow_shows_no_dag_sees_no_file(page, path):
    assert page.ask(path, "nobody").status_code == 403
    assert page.ask("/filebatch/api/feeds", "nobody").json() == []


def test_a_viewer_sees_and_starts_nothing(page):
    before = len(page.runs())
    found = page.ask("/filebatch/api/files?feed=orders", "eve").json()
    assert len(found["files"]) == 4
    assert found["may_act"] is False
    for action in verbs.ALL:
        assert page.ask("/filebatch/api/act", "eve", "POST", {**RETRY, "action": action.name}).status_code == 403
    assert len(page.runs()) == before


def test_no_answer_lets_foreign_scripts_run(page):
    for path in EVERYTHING:
        headers = page.ask(path).headers
        assert "default-src 'none'; script-src 'self';" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_run_without_a_claim_has_none(page):
    found = page.ask("/filebatch/api/run?feed=orders&run=never").json()
    assert (found["outcome"], found["files"], found["cursor"]) == (None, [], None)


def test_a_file_of_which_no_container_is_known_has_no_log(page):
    found = page.ask(f"/filebatch/api/log?feed=orders&key={quote(FAILED)}").json()
    assert found == {"job": None, "job_url": None, "url": None, "lines": []}
    assert page.ask("/filebatch/api/log?feed=orders&key=elsewhere/a.csv").status_code == 404


def test_feeds_are_counted(page):
    (feed,) = page.ask("/filebatch/api/feeds").json()
    assert feed["counts"]["FAILED"] == {"number": 2, "more": False}
    assert feed["counts"]["ARRIVED"] == {"number": 1, "more": False}


def test_a_feed_that_is_held_says_why(page):
    found = page.ask("/filebatch/api/held?feed=orders").json()
    assert found == {"feed": "orders", "held": breaker.why(BREAKER)}
    assert page.ask("/filebatch/api/feeds").json()[0]["held"] == breaker.why(BREAKER)


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ("state=FAILED", {FAILED, HOSTILE}),
        ("code=bug", {FAILED, HOSTILE}),
        ("key=partner-x", {FAILED}),
        (f"key={quote(' ' + ARRIVED + ' ')}", {ARRIVED}),
        (f"key={quote('<img')}", {HOSTILE}),
        ("state=SUCCEEDED", {DONE}),
        ("since=2999-01-01", set()),
    ],
)
def test_files_are_found_by(page, asked, keys):
    found = page.ask(f"/filebatch/api/files?feed=orders&{asked}").json()
    assert {file["key"] for file in found["files"]} == keys


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("files?feed=nothing", 404),
        ("files?feed=..%2Forders", 404),
        ("files?feed=orders&since=soon", 422),
        ("files?feed=orders&state=GONE", 422),
        ("file?feed=orders&key=elsewhere/a.csv", 404),
    ],
)
def test_what_makes_no_sense_is_refused(page, path, status):
    assert page.ask(f"/filebatch/api/{path}").status_code == status


@pytest.mark.parametrize(("key", "why"), [(FAILED, WHY), (HOSTILE, MARKUP)])
def test_a_file_has_its_story(page, key, why):
    found = page.ask(f"/filebatch/api/file?feed=orders&key={quote(key)}").json()
    assert found["key"] == key
    assert found["state"] == "FAILED"
    assert why in found["said"][0]
    assert found["timeline"][0]["what"].startswith("FAILED")
    assert "manual__1" in {each["run_id"] for each in found["timeline"]}


def test_a_file_that_is_done_has_its_outputs_and_its_profile_with_bars(page):
    found = page.ask(f"/filebatch/api/file?feed=orders&key={quote(DONE)}").json()
    assert [output["name"] for output in found["outputs"]] == ["profile.json"]
    assert found["outputs"][0]["uri"].startswith(f"s3://{page.place.results}/results/orders/")
    kept = json.loads(PROFILE.read_text())["columns"]
    assert [column["histogram"] for column in found["profile"]] == [column.get("histogram") for column in kept]
    assert found["profile"][1]["max"] == 55.9


@pytest.mark.parametrize("told_by", ["the item", "the result"])
def test_a_file_that_was_done_before_its_feed_was_renamed_has_its_outputs_where_they_lie(place, told_by):
    held, renamed = Held(place, 1), place.ctx(feed_of("renamed", prefix="orders/"))
    result = held.commit()
    where = results.location(held.ctx.results, "orders", result.work)
    place.ledger.move(file_moves.finish(held.keys[0], held.token, result, where, clock.now()))
    listing.rehome(place.ledger, renamed.feed, [held.item()], clock.now())
    file = held.item() if told_by == "the item" else replace(held.item(), outputs=None)

    assert [output.key for output in one_file.produced(renamed, file)] == [result.outputs[0].key]
    another = replace(file, result=where.replace("/g1/", "/g2/"))  # as a worker may write it
    assert all("/renamed/" in output.key for output in one_file.produced(renamed, another))


@pytest.mark.parametrize(
    ("content", "bars"),
    [
        ('{"columns": [{"name": "a"}]}', [None]),
        ('{"columns": [{"histogram": [1, 2]}]}', [[1, 2]]),
        (
            '{"columns": [{"histogram": [-1]}, {"histogram": ["<b>"]}, {"histogram": {}}, {"histogram": [true]}]}',
            [None] * 4,
        ),
        ('{"columns": [{"histogram": []}]}', [None]),
    ],
    ids=["of an earlier version", "ours", "of nobody we know", "empty"],
)
def test_bars_are_shown_where_a_profile_has_them(content, bars):
    assert [column["histogram"] for column in one_file.columns(content.encode())] == bars


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"columns": 1}', '{"columns": [1]}', "[" * 100_000])
def test_what_is_no_profile_is_none(content):
    assert one_file.columns(content.encode()) is None


@pytest.mark.parametrize(
    ("action", "conf"), [("retry", {}), ("redo", {"force": True}), ("release", {"state": "CLAIMED"})]
)
def test_acting_starts_a_run_in_the_users_name(page, action, conf):
    asked = {"feed": "orders", "action": action, "keys": [HOSTILE], "reason": "  fixed  "}
    answer = page.ask("/filebatch/api/act", "admin", "POST", asked)
    assert answer.status_code == 200, answer.text
    (run,) = [run for run in page.runs() if run["dag_run_id"] == answer.json()["dag_run_id"]]
    assert run["conf"] == {"keys": [HOSTILE], "reason": "fixed", **conf}
    assert run["note"] == f"{action}: fixed"
    assert run["triggering_user_name"] == "admin"
    log = page.ask("/api/v2/eventLogs?dag_id=orders&event=trigger_dag_run").json()["event_logs"]
    assert "admin" in {entry["owner"] for entry in log}


@pytest.mark.parametrize("wrong", [{"reason": "  "}, {"keys": []}, {"action": "forget"}, {"feed": ""}, {"more": 1}])
def test_what_makes_no_sense_starts_no_run(page, wrong):
    before = len(page.runs())
    assert page.ask("/filebatch/api/act", "admin", "POST", {**RETRY, **wrong}).status_code == 422
    assert len(page.runs()) == before


def test_the_zip_for_mwaa_has_the_static_files(tmp_path):
    target = tmp_path / "plugins.zip"
    subprocess.run([sys.executable, ROOT / "infra" / "plugins-zip", target], check=True)
    static = {name for name in zipfile.ZipFile(target).namelist() if "/static/" in name}
    assert static == {f"filebatch/web/static/page.{kind}" for kind in ("html", "js", "css")}
