"""What must hold after each step: safety."""

import json
from collections import Counter, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from filebatch.core import clock, paths
from filebatch.core.contract import Result
from filebatch.core.records import FileState
from filebatch.feeds.selection import Selection
from filebatch.runs import jobs
from simulation.plan import HOUR
from simulation.services.batch import Attempt
from simulation.services.s3 import Bucket, Version

if TYPE_CHECKING:
    from simulation.dag_run import DagRun
    from simulation.world import World

Found = Mapping[str, Any]
Key = tuple[str, str]
SETTLED = ("SUCCEEDED", "INVALID", "FAILED")
MOVES = {
    ("ARRIVED", "CLAIMED"), ("CLAIMED", "ARRIVED"), ("FAILED", "CLAIMED"), ("SUCCEEDED", "CLAIMED"),
    ("INVALID", "CLAIMED"), *(("CLAIMED", state) for state in SETTLED), *((state, "ARRIVED") for state in SETTLED),
}  # fmt: skip
OPEN = ("PLANNED", "CLAIMED")
MAX_EMPTY = 30  # runs of an hour


class Finding(BaseException):
    """Something that must not be: which rule, and what was found. The code under test must not catch it."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


class Steps:
    """Looks at every write."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.moved_at = 0.0  # when a file or a claim was moved last
        self.commits: dict[str, Result] = {}
        self.settled_by: Counter[str] = Counter()  # files that a claim settled
        self.results = world.settings.results(world.feed.name)
        self.settled_at: dict[Key, float] = {}
        self.promised: list[tuple[Key, float, str, bool]] = []  # to be done again: file, since when, by which run
        self.former: set[str] = set()  # runs of a name that the feed hasn't any more: nobody announces them
        self.empty: deque[float] = deque()  # when runs of the bell ended that had found nothing to do
        self.begun: set[str] = set()  # files that a worker has begun with, by when they were put
        self.kept: set[str] = set()  # keys of committed results: what lies there stays as it is
        self.job_of: dict[str, str] = {}  # by round
        world.aws.sns.published = self._told
        world.aws.s3.put = self._put
        world.aws.dynamodb.wrote = self._wrote
        world.aws.dynamodb.read, world.aws.dynamodb.read_in_batch = self._read, self._read_in_batch

    # after each step

    def _put(self, bucket: Bucket, version: Version) -> None:
        if bucket.name != self.results:
            return
        if version.key in self.kept:
            raise Finding("a committed result is never replaced", version.key)
        if version.key.endswith(paths.RESULT_FILE):
            self._committed(version)

    def _committed(self, version: Version) -> None:
        result = Result.from_json(json.loads(version.body or b""))
        me = self.world.scheduler.current
        asked = me.known.get((result.work.file.uri, result.work.file.version)) if me else None
        held = asked and (asked["state"], asked.get("claim"), asked["generation"])
        if held != ("CLAIMED", result.claim, result.work.generation):
            raise Finding("no result by whoever lost its claim", f"{version.key} by {result.claim}, asked: {held}")
        identity = f"{result.work.file.identity} {result.work.generation}"
        if identity in self.commits:
            raise Finding("one commit per generation", version.key)
        self.commits[identity] = result
        self.kept |= {version.key, *(output.key for output in result.outputs)}
        if result.state == FileState.INVALID:
            self._has_reason(result)

    def _has_reason(self, result: Result) -> None:
        objects = self.world.aws.s3.buckets[self.results].objects
        reason = paths.of_generation(paths.QUARANTINE, result.feed, result.work) + "_reason.json"
        if reason not in objects or result.reason is None or result.quarantine not in objects:
            raise Finding("every quarantine has a reason", str(result.quarantine))

    def _read(self, key: Key, item: Found | None) -> None:
        me = self.world.scheduler.current
        if me:
            me.known[key] = item

    def _read_in_batch(self, key: Key, item: Found | None) -> None:
        """Of files the look that counts is that of each alone, just before it is committed."""
        if key[0].startswith("run#"):
            self._read(key, item)

    def _wrote(self, key: Key, old: Found | None, new: Found | None) -> None:
        if new is not None and _state(old) != _state(new):
            self.moved_at = self.world.scheduler.seconds
        if new is None or not key[0].startswith("s3://"):
            if new and key[0].startswith("run#"):
                self._tell_run(old, new)
            return
        before, after = (old or {}).get("state"), new["state"]
        if "trouble" in new:
            self.begun.add(self._content(new)[1])
        if before == after:
            return
        self.world.trace.tell(f"{new['key']} ({new['sk'][-3:]}): {before or 'new'} -> {after}{_why(new)}")
        if old is None:
            if after != "ARRIVED":
                raise Finding("a file begins as ARRIVED", str(key))
            return
        if (before, after) not in MOVES:
            raise Finding("states move as the diagram says", f"{key}: {before} -> {after}")
        redone = new["generation"] - old["generation"]
        if redone not in (0, 1) or (redone and before not in SETTLED):
            raise Finding("a generation is done again only when it is settled", f"{key}: {old} -> {new}")
        if not redone and (before in ("SUCCEEDED", "INVALID") or (before, after) == ("FAILED", "ARRIVED")):
            raise Finding("what is done is done again as a new generation alone", str(key))
        if before == "CLAIMED" and after in SETTLED:
            self.settled_by[str(old.get("claim"))] += 1
            self.settled_at[key] = self.world.scheduler.seconds
            if old.get("claim") != new.get("claim"):
                raise Finding("only the claim's own files are settled", str(key))
        if after in ("SUCCEEDED", "INVALID"):
            self._is_true(new)
        if (before, after) == ("CLAIMED", "FAILED"):
            self._nobody_is_at_it(old)

    def _nobody_is_at_it(self, file: Found) -> None:
        """Check that whoever settles a round fails none of its files while its job works; its containers may."""
        me = self.world.scheduler.current
        assert me is not None
        if id(me.process or me) in self.world.containers.attempts:
            return
        claim = self.world.aws.dynamodb.tables[self.world.settings.ledger].items.get(
            (f"run#{file['feed']}", str(file.get("claim")))
        )
        job = self.world.aws.batch.jobs.get(str((claim or {}).get("fence") or (claim or {}).get("job_id")))
        if job is not None and not job.ended:
            raise Finding("no file is failed by others while its round's job works", f"{file['pk']} of {job.id}")

    def _is_true(self, item: Found) -> None:
        key = str(item["result"]).removeprefix(f"s3://{self.results}/")
        objects = self.world.aws.s3.buckets[self.results].objects
        if key not in objects or f"/g{item['generation']}/" not in key:
            raise Finding("a state says what the results say", f"{item['pk']}: {item['state']} without {key}")

    def _tell_run(self, old: Found | None, new: Found) -> None:
        before = (old or {}).get("state"), (old or {}).get("round")
        after = new["state"], new["round"]
        if before != after:
            self.world.trace.tell(
                f"claim {new['sk'][:4]}…{new['sk'][-4:]} of {new['run_id']}: {after[0]} round {after[1]}"
            )

    def began(self, attempt: Attempt, put: str) -> None:
        """A processor has begun with a file."""
        self.begun.add(put)
        round_, job = attempt.job.environment["FILEBATCH_ROUND"], (attempt.job.parent or attempt.job).id
        if self.job_of.setdefault(round_, job) != job:
            raise Finding("one job of a round works", f"{round_}: {self.job_of[round_]} and {job}")

    def _told(self, message: Mapping[str, Any]) -> None:
        told = json.loads(data(message))
        if told["status"] != "UNSETTLED":
            return
        key = (f"run#{told['feed']}", told["manifest"].split("/")[-2])
        me, item = self.world.scheduler.current, self.world.aws.dynamodb.tables[self.world.settings.ledger].items[key]
        read = me.known.get(key) if me else None
        if item["state"] in ("SETTLED", "ANNOUNCED") and (read is None or read["state"] in ("SETTLED", "ANNOUNCED")):
            raise Finding("nobody is told of a settled run that it isn't", told["run_id"])

    def asks(self, run: "DagRun", selection: Selection) -> None:
        """Note the settled files that a run is about to do again, by what the ledger has of them."""
        if "claim_files" not in run.began:
            run.began["claim_files"] = self.world.scheduler.seconds
        items = self.world.aws.dynamodb.tables[self.world.settings.ledger].items
        name = self.world.feed.name
        hashed = jobs.run_hash(name, run.run_id)
        own = [item for key, item in items.items() if key[0] == f"run#{name}" and key[1].startswith(hashed)]
        if selection.everything or not selection.force or any(item["state"] in OPEN for item in own):
            return  # a claim that is open is gone on with
        files = [(key, item) for key, item in items.items() if key[0].startswith("s3://")]
        run.asked = [key for key, item in files if self._is_asked(selection, item)]

    def _is_asked(self, selection: Selection, item: Found) -> bool:
        named = selection.takes(item["key"], clock.parse_utc(item["file_time"]))
        return named and item["state"] in SETTLED and self._version(item) is not None

    def claimed(self, run: "DagRun") -> None:
        """Remember that a run has taken on to do some files again."""
        by_key = bool(run.conf.get("keys"))
        self.promised += [(key, run.began["claim_files"], run.run_id, by_key) for key in run.asked]

    def run_ended(self, run: "DagRun") -> None:
        plan = self.world.plan
        # Then the bell rings for what is done, or again and again until a task that claims lives to answer it.
        seen_late = "index lag" in plan.mishaps or (plan.victims == "claim_files" and plan.faults)
        if run.run_type == "asset_triggered" and run.tasks["claim_files"] == "skipped" and not seen_late:
            self._was_empty()
        if run.state != "success" or not run.conf.get("keys"):
            return
        token = jobs.run_hash(self.world.feed.name, run.run_id)
        if not any(claim.startswith(token) for claim in self.settled_by):
            raise Finding("no run with keys is green that did none of them", run.run_id)

    def _was_empty(self) -> None:
        now = self.world.scheduler.seconds
        self.empty.append(now)
        while self.empty[0] < now - HOUR:
            self.empty.popleft()
        if len(self.empty) > MAX_EMPTY:
            raise Finding("the bell doesn't ring for nothing", f"{len(self.empty)} runs of an hour found nothing to do")

    def _version(self, item: Found) -> Version | None:
        bucket = self.world.aws.s3.buckets[item["bucket"]]
        return next((each for each in bucket.objects.get(item["key"], []) if each.id == item["version_id"]), None)

    def _content(self, item: Found) -> tuple[str | None, str]:
        found = self._version(item)
        content, put = found.body.decode().split() if found and found.body else (None, "")
        return content, str(put)


def _state(item: Found | None) -> tuple[Any, ...]:
    return tuple((item or {}).get(name) for name in ("state", "round", "feed", "generation"))


def data(message: Mapping[str, Any]) -> str:
    return str(json.loads(message["Message"])["sqs"])


def _why(item: Found) -> str:
    reason = item.get("reason")
    return f" ({reason['code']}, attempt {item['attempts']})" if reason and item["state"] in SETTLED else ""
