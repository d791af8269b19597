"""The worker as Batch runs it: a process of its own, with a container's environment and nothing else."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import emulators
from aws import REGION, ROOT, Place, feed_of, until
from claims import Held
from filebatch.core import paths
from filebatch.core.contract import Result
from filebatch.core.results import read_result
from filebatch.feeds.feed import Feed

PYTHON = ROOT / ".venv-worker" / "bin" / "python"
ACTS = feed_of(processor="acts:process")
JOB = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class Ended:
    """How a worker ended, what it wrote, and what it left on the disk."""

    code: int
    output: str
    left: list[str]


@dataclass
class Worker:
    """One attempt of one child of a claim's job."""

    held: Held
    job: str = JOB
    index: int | None = None
    attempt: int = 1
    round: int = 1
    more: Mapping[str, str | None] = field(default_factory=dict)  # None for a variable that is missing
    command: Sequence[str] = (str(PYTHON), "-m", "filebatch_worker")

    def environment(self, scratch: str) -> dict[str, str]:
        ctx = self.held.ctx
        job_id = self.job if self.index is None else f"{self.job}:{self.index}"
        index = {} if self.index is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(self.index)}
        found = {
            "PYTHONPATH": ":".join(str(ROOT / part) for part in ("worker", "plugins", "tests/processors")),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": scratch,
            "AWS_ENDPOINT_URL": self.held.place.server.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **self.held.place.server.credentials(),
            **emulators.variables(),
            "AWS_BATCH_JOB_ID": job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(self.attempt),
            **index,
            "FILEBATCH_FEED": ctx.feed.name,
            "FILEBATCH_LEDGER": ctx.settings.ledger,
            "FILEBATCH_RESULTS_BUCKET": ctx.results,
            "FILEBATCH_NAMESPACE": ctx.settings.namespace,
            "FILEBATCH_ROUND": paths.round_units(ctx.feed.name, self.held.token, self.round),
            "FILEBATCH_MEMORY_MIB": str(ctx.feed.memory),
            "FILEBATCH_VCPU": str(ctx.feed.vcpu),
            **self.more,
        }
        return {name: value for name, value in found.items() if value is not None}

    def run(self) -> Ended:
        """Let it do its unit."""
        with self.started() as process:
            return process.end()

    @contextmanager
    def started(self) -> Iterator["Running"]:
        """Start it; it is gone when the block ends."""
        with tempfile.TemporaryDirectory(prefix="worker-") as scratch, (Path(scratch) / "output").open("w+b") as output:
            disk = Path(scratch) / "disk"
            disk.mkdir()
            process = subprocess.Popen(
                self.command,
                env=self.environment(str(disk)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                yield Running(process, Path(scratch))
            finally:
                process.kill()
                process.wait()


@dataclass(frozen=True)
class Running:
    """A worker at work."""

    process: subprocess.Popen[bytes]
    scratch: Path

    def end(self, seconds: float = 60) -> Ended:
        code = self.process.wait(timeout=seconds)
        output = (self.scratch / "output").read_text(encoding="utf-8", errors="replace")
        return Ended(code, output, [path.name for path in (self.scratch / "disk").iterdir()])

    def begun(self, folder: Path) -> None:
        """Wait until its processor is at a file that says `wait`."""
        until(lambda: (folder / "begun").exists() or self.process.poll() is not None, seconds=60)
        assert self.process.poll() is None, self.end().output


def held_of(place: Place, *words: str, feed: Feed = ACTS, **more: Any) -> Held:
    """Return a claim of files that each say what is to become of them."""
    return Held(place, [word.encode() for word in words], feed, **more)


def object_of(place: Place, key: str, bucket: str | None = None) -> bytes:
    found: bytes = place.connect("s3").get_object(Bucket=bucket or place.results, Key=key)["Body"].read()
    return found


def keys_under(place: Place, prefix: str) -> list[str]:
    found = place.connect("s3").list_objects_v2(Bucket=place.results, Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", [])]


def result_of(held: Held, number: int = 0) -> Result | None:
    work = held.item(number).work
    return read_result(held.ctx.s3, held.place.results, "orders", work)


def quarantine_of(held: Held, number: int) -> str:
    return paths.of_generation(paths.QUARANTINE, "orders", held.item(number).work)
