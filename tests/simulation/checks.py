"""What must hold once the world has calmed down: liveness; `steps.py` has what must hold after each step."""

from collections.abc import Collection, Iterator
from typing import Any

from filebatch.feeds import standing
from filebatch.feeds.standing import Standing
from filebatch.intake import listing
from filebatch.queries import audit
from simulation.steps import SETTLED, Finding, Found, Key, Steps, data

STILL = 3 * 3600.0  # seconds
EVENTS = "every run with results emits its event"


class Checks(Steps):
    """Looks at every write and, at the end, at everything."""

    def all_but(self, spoilt: Collection[str]) -> None:
        """Check that what can't be settled has kept no other file from it."""
        for key, item in self.world.aws.dynamodb.tables[self.world.settings.ledger].items.items():
            if key[0].startswith("s3://") and item.get("claim") not in spoilt:
                self._is_settled(item)

    def is_still(self) -> bool:
        """Tell whether nothing has moved for so long that nothing will: what waits is looked at within two hours."""
        return self.world.scheduler.seconds - max(self.moved_at, self.world.plan.chaos) > STILL

    def is_at_rest(self) -> bool:
        """Tell whether nothing is on its way any more: then what is wrong stays wrong."""
        table = self.world.aws.dynamodb.tables[self.world.settings.ledger]
        name = self.world.feed.name
        own = [item for key, item in table.items.items() if key[0] == f"run#{name}" or "key" in item]
        if any("open" in item or item.get("state") == "CLAIMED" for item in own):
            return False
        if any(run.state == "running" for run in self.world.airflow.runs.values()):
            return False
        return (
            not any(self._unseen())
            and not self.world.aws.sqs.queues[self.world.settings.queue(self.world.feed.name)].messages
        )

    def _unseen(self) -> Iterator[Key]:
        items = self.world.aws.dynamodb.tables[self.world.settings.ledger].items
        for file in self._files():
            if (file.uri, file.version) not in items:
                yield (file.uri, file.version)

    def _files(self) -> Iterator[Any]:
        s3, feed = self.world.aws.s3, self.world.feed
        for file in listing.versions(s3, self.world.settings.new_files, feed.prefix):
            if standing.of(feed, file) is Standing.WORK:
                yield file

    def at_the_end(self) -> None:
        aws, settings = self.world.aws, self.world.settings
        items = aws.dynamodb.tables[settings.ledger].items
        for found in self._unseen():
            raise Finding("every file of the bucket is settled", f"{found} isn't in the ledger")
        for key, item in items.items():
            if key[0].startswith("s3://"):
                self._is_settled(item)
            elif key[0] == f"run#{self.world.feed.name}":
                self._is_announced(item)
            elif key[0].startswith("run#"):
                self.former.add(item["run_id"])
        for promise in self.promised:
            self._is_done_again(*promise)
        told = audit.audit([self.world.feed], settings, aws.s3, aws.dynamodb)
        if any(found.file not in self.former for found in told.findings):
            raise Finding("the audit finds nothing", str(told))

    def _is_settled(self, item: Found) -> None:
        if item["state"] not in SETTLED or "open" in item:
            raise Finding("every file of the bucket is settled", f"{item['pk']} {item['sk'][-3:]} is {item['state']}")
        content, put = self._content(item)
        expected = {
            "good": ("SUCCEEDED",),
            "invalid": ("INVALID",),
            "wordy": ("INVALID",),
            "bug": ("FAILED",),
            "unsound": ("FAILED",),
            "kills": ("FAILED",),
        }
        if content is None:
            return
        if item["state"] in expected.get(content, (item["state"],)):
            return
        if item["state"] == "FAILED" and item["attempts"] >= self.world.feed.max_attempts:
            self._was_tried(item, put, content)
            return
        raise Finding("files end as they are", f"{item['pk']} ({content}) is {item['state']}: {item.get('reason')}")

    def _was_tried(self, item: Found, put: str, content: str) -> None:
        """An attempt is counted for a file that was begun; where containers die by themselves nobody knows of which."""
        plan = self.world.plan
        blamed = {"kills", "flaky"} & {drop.content for drop in plan.drops}  # for their container another may be
        if item["reason"]["code"] == "bug" and content not in ("bug", "unsound", "kills", "flaky") and not blamed:
            raise Finding("files end as they are", f"{item['pk']} ({content}) has failed: {item['reason']}")
        deadly = {"killed", "spot", "stall", "died before", "died after"} & {*plan.faults, *plan.mishaps}
        if not deadly and item["reason"]["code"] in ("bug", "killed") and put not in self.begun:
            raise Finding("no file fails for good that was never begun", f"{item['pk']}: {item['reason']}")

    def _is_done_again(self, key: Key, since: float, run_id: str, by_key: bool) -> None:
        item = self.world.aws.dynamodb.tables[self.world.settings.ledger].items[key]
        found = self._version(item)
        latest = self.world.aws.s3.buckets[item["bucket"]].latest(item["key"])
        if found is None or (by_key and found is not latest):
            return  # nobody could do it, or a key's newer version was meant
        if self.settled_at.get(key, 0.0) < since:
            raise Finding("what a run was asked to do again is done again", f"{key[0]} by {run_id}")

    def _is_announced(self, item: Found) -> None:
        if item["state"] != "ANNOUNCED" or "open" in item:
            raise Finding("every claim is settled and announced", f"{item['run_id']} is {item['state']}")
        counts = item.get("counts") or {}
        if not any(counts.get(state) for state in SETTLED):
            return
        sns = self.world.aws.sns.topics[self.world.settings.topics["stakeholders"]]
        if not any(f'"run_id": "{item["run_id"]}"' in data(message) for message in sns):
            raise Finding("every settled run is announced", item["run_id"])
        manifest = f"/{item['sk']}/"
        if counts.get("SUCCEEDED") and not any(
            manifest in event["manifest"] for event in self.world.airflow.asset_events
        ):
            raise Finding(EVENTS, item["run_id"])
