"""A DynamoDB with a ledger of a million files, and what of S3 goes with it, over HTTP: for `bench/files_page.py`.

It is a process of its own, so that its time isn't that of who asks; it answers what the queries ask and nothing else.
The index `listed` is seeded whole; the rest of a file is made when it is read, from its number. GET /asked says how
many requests there were since it was asked last.
"""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from filebatch.core import clock, file_moves, history, listed, paths, requests, run_moves
from filebatch.core.contract import VERSION, FileVersion, Reason
from filebatch.core.feed_records import Arrival
from filebatch.core.records import FileRecord, FileState, RunRecord, RunState
from filebatch.core.run_moves import Asked
from filebatch.runs import jobs

FILES = 1_000_000
FEED, BUCKET, RESULTS = "orders", "new-files", "results"
RUN = "scheduled__2026-01-02T00:00:00+00:00"
TOKEN = jobs.token(jobs.run_hash(FEED, RUN), 1)
BEGAN = datetime(2025, 3, 1, tzinfo=UTC)
# So many of a hundred files are in a state.
SHARES = {"SUCCEEDED": 90, "ARRIVED": 2, "CLAIMED": 1, "INVALID": 3, "FAILED": 4}
STATES = [FileState(name) for name, share in SHARES.items() for _ in range(share)]
OF_RUN = range(5_000)  # files that the run has claimed
PAGE = 1_000_000  # bytes of items, names and values; DynamoDB reads no more for one request
COLUMNS, BARS = 100, 20  # of a profile
SIZE = 4096  # bytes of a file
CODES = {FileState.FAILED: "timeout", FileState.INVALID: "invalid"}
FILTER = re.compile(r"contains\((?P<part>#\w+), (?P<text>:\w+)\)|(?P<name>#\w+) = (?P<value>:\w+)")

Typed = dict[str, Any]


def version(number: int) -> FileVersion:
    """Return one of the million."""
    at = clock.to_iso(BEGAN + timedelta(seconds=number))
    key = f"{FEED}/{at[:10]}/{number:07d}.csv"
    return FileVersion(BUCKET, key, f"v{number:031d}", f"{number:032x}", SIZE, at)


def number_of(key: str) -> int | None:
    """Return which of the million has a key; None where none has."""
    written = key[-11:-4]
    return int(written) if written.isdigit() and version(int(written)).key in key else None


def state_of(number: int) -> FileState:
    """Return the state of one: each hundred has all states, in another order than the keys."""
    return STATES[number * 37 % 100]


def record(number: int) -> FileRecord:
    """Return what the ledger has of one, with as many notes as there may be."""
    at, file, state = BEGAN + timedelta(seconds=number), version(number), state_of(number)
    arrived = file_moves.arrive(file, FEED, at, at, "event")
    note = history.note(at=clock.to_iso(at), what="CLAIMED", run=RUN, round=1, attempt=1, job=f"{TOKEN}:{number}")
    notes = [*(arrived.history or []), *[note] * (history.MOST - 1)]
    if state is FileState.ARRIVED:
        return replace(arrived, history=notes)
    code = CODES.get(state)
    found = replace(
        arrived,
        state=state,
        listed_at=listed.place(arrived.row, state, at),
        claim=TOKEN,
        run_id=RUN,
        claimed_at=clock.to_iso(at),
        settled_at=clock.to_iso(at),
        attempts=1,
        code=code,
        reason=Reason(code, "x" * 500) if code else None,
        open=None,
        due_at=None,
        history=notes,
    )
    return _with_outputs(found) if state is FileState.SUCCEEDED else found


def _with_outputs(file: FileRecord) -> FileRecord:
    place = f"s3://{RESULTS}/{paths.of_generation(paths.RESULTS, FEED, file.work)}_result.json"
    made = [{"name": name, "at": f"job/{name}", "size": 4096, "rows": 50} for name in ("data.parquet", "profile.json")]
    return replace(file, outputs=made, result=place, rows=50)


def size(item: Typed) -> int:
    """Return about how many bytes an item has, as DynamoDB counts them."""
    return sum(len(name) + len(json.dumps(value)) - 7 for name, value in item.items())


@dataclass
class Million:
    """The ledger: answers by operation, kept by question, so that the second of a kind takes no time."""

    asked: int = 0
    answers: dict[tuple[str, bytes], bytes] = field(default_factory=dict)

    @cached_property
    def places(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """The index `listed`: by partition, each file's place and number, in order."""
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in listed.partitions(FEED)}
        for number in range(FILES):
            row = FileRecord.at(version(number))
            place = listed.place(row, state_of(number), BEGAN + timedelta(seconds=number))
            found[listed.partition(FEED, row)].append((place, number))
        return {name: sorted(places) for name, places in found.items()}

    def answer(self, operation: str, body: bytes) -> bytes:
        """Return what DynamoDB says to a request."""
        if (operation, body) not in self.answers:
            made = {"Query": self.query, "GetItem": self.get, "BatchGetItem": self.batch}
            self.answers[operation, body] = json.dumps(made[operation](json.loads(body))).encode()
        return self.answers[operation, body]

    def query(self, asked: Typed) -> Typed:
        """Return what a Query finds; its page ends after `Limit` items, or 1 MB of them."""
        values = requests.decode(asked["ExpressionAttributeValues"])
        match asked.get("IndexName"):
            case listed.INDEX:
                return self.listing(asked, values)
            case requests.INDEX:
                return self.waiting(asked)
        if ":sk" in values:
            return _page([self.item(values[":pk"], TOKEN)])
        return _page([self.item(values[":pk"], "")])

    def listing(self, asked: Typed, values: Mapping[str, Any]) -> Typed:
        """Return files of the index `listed`, or how many there are."""
        places = self.places[values[":listed"]]
        first, end = bisect_left(places, (values[":low"],)), bisect_right(places, (values[":high"], FILES))
        most = min(asked["Limit"], PAGE // size(requests.encode(_listed(*places[-1]))))
        backwards = not asked.get("ScanIndexForward", True)
        looked = places[max(first, end - most) : end][::-1] if backwards else places[first : first + most]
        more = {"LastEvaluatedKey": requests.encode(_listed(*looked[-1]))} if end - first > most else {}
        if asked.get("Select") == "COUNT":
            return {"Count": len(looked), "ScannedCount": len(looked), **more}
        fits = _filter(asked, values)
        items = [requests.encode(item) for each in looked if fits(item := _listed(*each))]
        return {"Items": items, "Count": len(items), "ScannedCount": len(looked), **more}

    def waiting(self, asked: Typed) -> Typed:
        """Return files of the index `open`, which has all of an item."""
        numbers = (number for number in range(FILES) if state_of(number) is FileState.ARRIVED)
        first = requests.encode(record(next(numbers)).to_item())
        most = min(asked.get("Limit", FILES), PAGE // size(first))
        items = [first, *(requests.encode(record(next(numbers)).to_item()) for _ in range(most - 1))]
        return {"Items": items, "Count": len(items), "ScannedCount": len(items), "LastEvaluatedKey": items[-1]}

    def get(self, asked: Typed) -> Typed:
        """Return the item that GetItem asks for."""
        found = self.item(*_key(asked["Key"]))
        return {"Item": requests.encode(found)} if found else {}

    def batch(self, asked: Typed) -> Typed:
        """Return the items that BatchGetItem asks for."""
        ((table, wanted),) = asked["RequestItems"].items()
        names = set(wanted.get("ExpressionAttributeNames", {}).values())
        found = [self.item(*_key(key)) or {} for key in wanted["Keys"]]
        shown = [{name: value for name, value in item.items() if not names or name in names} for item in found]
        return {"Responses": {table: [requests.encode(item) for item in shown if item]}, "UnprocessedKeys": {}}

    def item(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        """Return one item; None where there is none."""
        if pk == f"run#{FEED}":
            return run().to_item()
        if (pk, sk) == (f"feed#{FEED}", Arrival.KEPT_AS):
            return Arrival(pk=pk, sk=sk, arrived_at=clock.to_iso(BEGAN)).to_item()
        number = number_of(pk)
        return None if number is None else record(number).to_item()


def run() -> RunRecord:
    """Return the owner record of the run that had all files."""
    begun = run_moves.begin(FEED, TOKEN, Asked(RUN, 1, 0, "all that waits"), timeout=timedelta(1), now=BEGAN)
    counts = {"SUCCEEDED": len(OF_RUN)}
    return replace(begun, state=RunState.ANNOUNCED, round=1, files=len(OF_RUN), counts=counts, job_id="job", open=None)


def _filter(asked: Typed, values: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    names = asked["ExpressionAttributeNames"]
    wanted = [found.groupdict() for found in FILTER.finditer(asked.get("FilterExpression", ""))]

    def fits(item: Mapping[str, Any]) -> bool:
        return all(
            values[each["text"]] in item[names[each["part"]]]
            if each["part"]
            else item.get(names[each["name"]]) == values[each["value"]]
            for each in wanted
        )

    return fits


def _listed(place: str, number: int) -> Mapping[str, Any]:
    """Return what the index `listed` shows of a file."""
    row, state = FileRecord.at(version(number)), state_of(number)
    index = {"listed": listed.partition(FEED, row), "listed_at": place}
    code = {"code": CODES[state]} if state in CODES else {}
    return {**row.key, **index, "key": version(number).key, "state": state.value, "size": SIZE, "run_id": RUN, **code}


def _key(key: Typed) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _page(found: Sequence[Mapping[str, Any] | None]) -> Typed:
    items = [requests.encode(item) for item in found if item]
    return {"Items": items, "Count": len(items), "ScannedCount": len(items)}


def versions(prefix: str) -> bytes:
    """Return what ListObjectVersions says of one file."""
    file = version(number_of(prefix) or 0)
    found = (
        f"<Version><Key>{escape(file.key)}</Key><VersionId>{file.version_id}</VersionId><IsLatest>true</IsLatest>"
        f"<LastModified>{file.last_modified}</LastModified><ETag>{file.etag}</ETag><Size>{file.size}</Size></Version>"
    )
    inside = found if file.key == prefix else ""
    return f"<ListVersionsResult><IsTruncated>false</IsTruncated>{inside}</ListVersionsResult>".encode()


def plan() -> bytes:
    """Return the plan of the run."""
    files = [{**FileRecord.at(version(number)).key, "how": "take", "generation": 1} for number in OF_RUN]
    return json.dumps({"contract": VERSION, "files": files}).encode()


def profile() -> bytes:
    """Return a profile with many columns."""
    column = {"type": "double", "nulls": 0, "min": "0", "max": "9", "distinct": 50, "histogram": [5] * BARS}
    return json.dumps({"columns": [{"name": f"column {number}", **column} for number in range(COLUMNS)]}).encode()


def objects(address: str, million: Million) -> bytes:
    """Return what a GET brings."""
    parts = urlsplit(address)
    if parts.path == "/asked":
        asked, million.asked = million.asked - 1, 0
        return str(asked).encode()
    if "versions" in parse_qs(parts.query, keep_blank_values=True):
        return versions(parse_qs(parts.query)["prefix"][0])
    return plan() if parts.path.endswith("plan.json") else profile()


class Handler(BaseHTTPRequestHandler):
    """DynamoDB and S3 at one address."""

    protocol_version = "HTTP/1.1"

    def __init__(self, million: Million, *arguments: Any) -> None:
        self.million = million
        super().__init__(*arguments)

    def do_POST(self) -> None:
        """Answer DynamoDB's requests."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self._say(self.million.answer(operation, body), "application/x-amz-json-1.0")

    def do_GET(self) -> None:
        """Answer S3's requests."""
        self._say(objects(self.path, self.million), "application/xml")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _say(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.million.asked += 1


def main() -> Iterator[str]:
    """Seed, say where it listens, and answer until it is ended."""
    million = Million()
    yield f"{sum(map(len, million.places.values()))} files"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, million)) as server:
        yield str(server.server_port)
        server.serve_forever()


if __name__ == "__main__":
    for line in main():
        print(line, file=sys.stdout, flush=True)
