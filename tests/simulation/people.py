"""What people do: suppliers put files, operators clear, mark, delete, pause, ask again."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from filebatch.core import clock, paths
from simulation.dag_run import DagRun
from simulation.plan import Act, Drop

if TYPE_CHECKING:
    from simulation.world import World

FEEDS = ("orders", "sales")


class People:
    """Do what the plan says, at its time."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.spoilt: dict[str, tuple[str, bytes]] = {}  # plans that can't be read: key and content, by token

    def begin(self) -> None:
        for number, drop in enumerate(self.world.plan.drops):
            self.world.scheduler.spawn(f"supplier {number}", lambda drop=drop: self._put(drop), drop.at)
        for number, act in enumerate(self.world.plan.acts):
            self.world.scheduler.spawn(f"operator {number}", lambda act=act: self._act(act), act.at)

    def _put(self, drop: Drop) -> None:
        from simulation.world import NEW_FILES, PREFIX

        self.world.trace.tell(str(drop))
        body = f"{drop.content} {drop.at}".encode()
        begun = self.world.scheduler.now() - timedelta(hours=drop.begun)
        self.world.aws.s3.put_object(Bucket=NEW_FILES, Key=PREFIX + drop.name, Body=body, Begun=begun)

    def _act(self, act: Act) -> None:
        airflow, pick = self.world.airflow, act.pick
        if act.what == "rename feed":
            self._rename(pick)
        elif act.what == "remove feed":
            self._remove()
        if not self.world.present:
            return
        if act.what.startswith(("clear", "mark", "delete run")) and pick % 3:
            self._wait_for_a_moment(pick)
        runs = list(airflow.runs.values())
        if pick % 4:  # most of what people do is done to what is going on
            runs = [each for each in runs if self._is_at_it(each)] or runs
        run = runs[pick % len(runs)] if runs else None
        match act.what.split():
            case ["retry", *_]:
                self._retry(pick)
            case ["give", "up"]:
                self._give_up()
            case ["clear", task] if run:
                airflow.clear(run, task)
            case ["mark", "failed"] if run and run.state == "running":
                airflow.mark_failed(run)
            case ["delete", "run"] if run:
                airflow.delete(run)
            case ["pause"]:
                airflow.paused = not airflow.paused
            case ["forbid", "notify"]:
                self._forbid(pick)
            case ["spoil" | "expire" as how, "plan"]:
                self._spoil(pick, gone=how == "expire")
            case [*_, "now"]:
                self._backfill_of_now()
            case [*_, "backfill"]:
                self._backfill(pick, force="force" in act.what)
            case [*_, "keys"]:
                self._keys(pick, force="force" in act.what)
            case ["delete", "version"]:
                self._delete_version(pick)
            case ["terminate", "job"]:
                self._terminate(pick)
            case ["manual", "run"]:
                airflow.start("manual", logical_date=self.world.scheduler.now())

    def _wait_for_a_moment(self, pick: int) -> None:
        """Wait until a task is at it, for a while: what happens then is what nobody thought of."""
        me = self.world.scheduler.current
        assert me is not None
        for _ in range(500):
            if any(self._is_at_it(run) for run in self.world.airflow.runs.values()):
                break
            self.world.scheduler.wait(0.2)
        self.world.scheduler.wait(me.random.uniform(0, 0.6))

    @staticmethod
    def _is_at_it(run: DagRun) -> bool:
        return run.state == "running" and "running" in (run.tasks.get("claim_files"), run.tasks.get("process_files"))

    def _retry(self, pick: int) -> None:
        """Do what people do most: clear the task of a run that has failed."""
        failed = [run for run in self.world.airflow.runs.values() if run.tasks.get("process_files") == "failed"]
        over = [run for run in failed if run.state in ("failed", "success")]
        if over:
            self.world.airflow.clear(over[pick % len(over)], "process_files")

    def _give_up(self) -> None:
        """Mark the next run as failed of which a task's process dies, before its next try begins."""
        for _ in range(300):
            died = [run for run in self.world.airflow.runs.values() if run.died and run.state == "running"]
            if died:
                self.world.airflow.mark_failed(died[0])
                return
            self.world.scheduler.wait(1.0)

    def _backfill(self, pick: int, *, force: bool) -> None:
        self._backfill_of(clock.parse_utc(f"2026-0{1 + pick % 2}-0{1 + pick // 2 % 3}T00:00:00Z"), force=force)

    def _backfill_of_now(self) -> None:
        """Do what came in this hour again: files without a date, some of which were begun on another day."""
        self._backfill_of(self.world.scheduler.now().replace(minute=0, second=0, microsecond=0), force=True)

    def _backfill_of(self, date: datetime, *, force: bool) -> None:
        run_id = f"backfill-{date:%Y-%m-%dT%H}"
        found = self.world.airflow.runs.get(run_id)
        if found is None:
            self.world.airflow.start("backfill", run_id, date, {"force": True} if force else {})
        elif found.state in ("success", "failed"):
            self.world.airflow.clear(found, "wait_for_files")

    def _keys(self, pick: int, *, force: bool) -> None:
        keys = sorted(self.world.aws.s3.buckets[self.world.settings.new_files].keys)
        if keys:
            chosen = sorted({keys[pick % len(keys)], keys[pick // 7 % len(keys)]})
            conf: dict[str, Any] = {"keys": chosen, **({"force": True} if force else {})}
            self.world.airflow.start("manual", logical_date=self.world.scheduler.now(), conf=conf)

    def _delete_version(self, pick: int) -> None:
        bucket = self.world.aws.s3.buckets[self.world.settings.new_files]
        if bucket.keys:
            key = bucket.keys[pick % len(bucket.keys)]
            self.world.trace.tell(f"somebody deletes {key}")
            which = {} if pick % 3 else {"VersionId": bucket.objects[key][0].id}
            self.world.aws.s3.delete_object(Bucket=bucket.name, Key=key, **which)

    def _rename(self, pick: int) -> None:
        """Give the feed's file another name, or the name that it had."""
        if self.world.present:
            self.world.remove_feed()
        self.world.have_feed(FEEDS[pick % len(FEEDS)])

    def _remove(self) -> None:
        """Delete the feed's file, or bring it back as it was."""
        if self.world.present:
            self.world.remove_feed()
        else:
            self.world.have_feed(self.world.feed.name)

    def _forbid(self, pick: int) -> None:
        """Take the right to publish away for a while."""
        self.world.trace.tell("nobody may publish for a while")
        self.world.sns_forbidden = True
        self.world.scheduler.wait(300.0 + pick * 3)
        self.world.sns_forbidden = False

    def _spoil(self, pick: int, *, gone: bool) -> None:
        """Have a run be dead, and its plan be one that nobody can read: of a later version, or expired."""
        items = self.world.aws.dynamodb.tables[self.world.settings.ledger].items
        begun = self._begun(gone=gone)
        for _ in range(300):
            if begun or not self.world.present:
                break
            self.world.scheduler.wait(2.0)
            begun = self._begun(gone=gone)
        if not begun or self.spoilt or self.world.is_calm:
            return
        name, token = self.world.feed.name, begun[pick % len(begun)]
        run = self.world.airflow.runs.get(items[f"run#{name}", token]["run_id"])
        self.world.trace.tell(
            f"claim {token[:4]}…{token[-4:]} is dead, and its plan {'gone' if gone else 'unreadable'}"
        )
        if run:
            self.world.airflow.mark_failed(run)
        key, s3 = paths.plan(name, token), self.world.aws.s3
        found = s3.buckets[self.world.settings.results(name)].latest(key)
        if not found:
            return
        self.spoilt[token] = key, found.body
        if gone:
            s3.delete_object(Bucket=self.world.settings.results(name), Key=key)
        else:
            document = {**json.loads(found.body), "contract": 99}
            self._write(key, json.dumps(document).encode())

    def _begun(self, *, gone: bool) -> list[str]:
        items, name = self.world.aws.dynamodb.tables[self.world.settings.ledger].items, self.world.feed.name
        return [key[1] for key, item in items.items() if key[0] == f"run#{name}" and self._is_begun(item, gone=gone)]

    @staticmethod
    def _is_begun(item: Mapping[str, Any], *, gone: bool) -> bool:
        """Tell whether a claim is at work; one that has no round yet is taken for one that never had a plan."""
        return item["state"] in ("PLANNED", "CLAIMED") and (item["round"] > 0 or not gone)

    def restore(self) -> None:
        """Have the plans be there again."""
        self.world.trace.tell("the plans that nobody could read are there again")
        for key, body in self.spoilt.values():
            self._write(key, body)

    def _write(self, key: str, body: bytes) -> None:
        self.world.aws.s3.put_object(Bucket=self.world.settings.results(self.world.feed.name), Key=key, Body=body)

    def _terminate(self, pick: int) -> None:
        running = [job for job in self.world.aws.batch.jobs.values() if not job.parent and not job.ended]
        if running:
            job = running[pick % len(running)]
            self.world.trace.tell(f"somebody terminates {job.id}")
            self.world.aws.batch.terminate_job(jobId=job.id, reason="Terminated: by somebody")
