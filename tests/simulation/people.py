"""What people do: suppliers put files, operators clear, mark, delete, pause, ask again."""

from typing import TYPE_CHECKING, Any

from filebatch.core import clock
from simulation.airflow import DagRun
from simulation.plan import Act, Drop

if TYPE_CHECKING:
    from simulation.world import World


class People:
    """Do what the plan says, at its time."""

    def __init__(self, world: "World") -> None:
        self.world = world

    def begin(self) -> None:
        for number, drop in enumerate(self.world.plan.drops):
            self.world.scheduler.spawn(f"supplier {number}", lambda drop=drop: self._put(drop), drop.at)
        for number, act in enumerate(self.world.plan.acts):
            self.world.scheduler.spawn(f"operator {number}", lambda act=act: self._act(act), act.at)

    def _put(self, drop: Drop) -> None:
        from simulation.world import NEW_FILES, PREFIX

        self.world.trace.tell(str(drop))
        body = f"{drop.content} {drop.at}".encode()
        self.world.aws.s3.put_object(Bucket=NEW_FILES, Key=PREFIX + drop.name, Body=body)

    def _act(self, act: Act) -> None:
        airflow, pick = self.world.airflow, act.pick
        if act.what.startswith(("clear", "mark", "delete run")) and pick % 3:
            self._wait_for_a_moment(pick)
        runs = list(airflow.runs.values())
        if pick % 4:  # most of what people do is done to what is going on
            runs = [each for each in runs if self._is_at_it(each)] or runs
        run = runs[pick % len(runs)] if runs else None
        match act.what.split():
            case ["clear", task] if run:
                airflow.clear(run, task)
            case ["mark", "failed"] if run and run.state == "running":
                airflow.mark_failed(run)
            case ["delete", "run"] if run:
                airflow.delete(run)
            case ["pause"]:
                airflow.paused = not airflow.paused
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

    def _backfill(self, pick: int, *, force: bool) -> None:
        date = clock.parse_utc(f"2026-0{1 + pick % 2}-0{1 + pick // 2 % 3}T00:00:00Z")
        run_id = f"backfill-{date.date()}"
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

    def _terminate(self, pick: int) -> None:
        running = [job for job in self.world.aws.batch.jobs.values() if not job.parent and not job.ended]
        if running:
            job = running[pick % len(running)]
            self.world.trace.tell(f"somebody terminates {job.id}")
            self.world.aws.batch.terminate_job(jobId=job.id, reason="Terminated: by somebody")
