"""What things cost a month, as values: amounts of what AWS charges for, times `prices.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filebatch.core import usage
from filebatch.runs import billing, prices

DOCUMENTS = Path(__file__).parents[2] / "infra" / "documents"

HOURS = 730  # a month
SECONDS = HOURS * 3600
MILLION = 1_000_000
GIB = 2**30

# What an idle feed's doorbell asks, each in the triggers' own constants: a long poll, a look at the ledger, a report.
LONG_POLL, LOOK_EVERY, REPORT_EVERY = 20, 60, 300  # seconds
QUERIES_A_LOOK, READS_A_REPORT = 2, 5
METRICS_IDLE = 8  # what it publishes with a report, with `expected_by`
INTERFACES, ZONES = 4, 2

# Writes of a file's item: arrival, claim, settling. One to the table each; one to the index `open` when it is put there
# and when it leaves; one to `listed` when it is put there, two when it moves. A write unit is 1 KB: with names of usual
# lengths the item is smaller until it is settled, and larger then.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes
WRITE_UNITS_A_FILE = 3 + 4 + 4
# Reads: at the worker's start, before the commit, settling, announcing; each strongly consistent and below 4 KB.
READ_UNITS_A_FILE = 4
LOG_BYTES_A_FILE = 300


@dataclass(frozen=True)
class Line:
    """One line of a bill: what, how much of it, the price's name in `prices.json`."""

    what: str
    amount: float
    price: str

    def usd(self, region: str) -> float:
        """Return what it costs."""
        return self.amount * prices.of(self.price, region)


@dataclass(frozen=True)
class Files:
    """A load.

    Attributes:
        what: its name.
        count: how many files.
        bytes: of each.
        cpu: seconds of a whole CPU that each takes.
        waits: seconds that each waits for AWS meanwhile.
        unit: files a container.
        puts: S3 requests a file that write; a large result goes in parts.
        vcpu: vCPUs of a container.
        memory: MiB.
    """

    what: str
    count: int
    bytes: int
    cpu: float
    waits: float
    unit: int
    puts: int = 3
    vcpu: float = 0.5
    memory: int = 1024

    @property
    def container_seconds(self) -> float:
        """The seconds that are billed for all containers: each starts for 5 seconds, and a minute is the least."""
        return self.count / self.unit * max(billing.MINIMUM, 5 + (self.cpu / self.vcpu + self.waits) * self.unit)


def total(lines: Sequence[Line], region: str) -> float:
    """Return the sum of a bill."""
    return sum(line.usd(region) for line in lines)


def idle(feeds: int) -> list[Line]:
    """Return a month of an environment to which nothing comes, without Airflow."""
    alarms, feeds_per_dashboard = len(_document("alarms")), _document("dashboard")["feeds_per_dashboard"]
    reads = SECONDS / LOOK_EVERY * QUERIES_A_LOOK + SECONDS / REPORT_EVERY * READS_A_REPORT
    return [
        Line(f"{INTERFACES} interface endpoints in {ZONES} zones", INTERFACES * ZONES * HOURS, "endpoint_hour"),
        Line("key", 1, "kms_key_month"),
        Line("secret with the settings", 1, "secret_month"),
        Line("dashboards", -(-feeds // feeds_per_dashboard), "cloudwatch_dashboard_month"),
        Line(f"{alarms} alarms a feed", alarms * feeds, "cloudwatch_alarm_month"),
        Line(f"{METRICS_IDLE} metrics a feed", METRICS_IDLE * feeds, "cloudwatch_metric_month"),
        Line("reports of feeds' health", SECONDS / REPORT_EVERY * feeds, "cloudwatch_put_metrics"),
        Line("long polls", SECONDS / LONG_POLL * feeds, "sqs_request"),
        Line("looks at the ledger", reads / 2 * feeds, "dynamodb_read_unit"),
    ]


def _document(name: str) -> Any:
    return json.loads((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8"))


def ours(load: Files, calls: Mapping[str, float]) -> list[Line]:
    """Return what a load costs; `calls` are a file's own, by operation."""
    used = usage.of_container(load.container_seconds, load.vcpu, load.memory)
    gets = sum(number for name, number in calls.items() if name in ("s3.GetObject", "s3.HeadObject"))
    return [
        Line("vCPU·h of containers", used.vcpu_seconds / 3600, "fargate_vcpu_hour"),
        Line("GiB·h of containers", used.gib_seconds / 3600, "fargate_gib_hour"),
        Line("S3: results", load.count * load.puts, "s3_put"),
        Line("S3: fetching", load.count * gets + 2 * load.count / load.unit, "s3_get"),
        Line("ledger: writes", load.count * WRITE_UNITS_A_FILE, "dynamodb_write_unit"),
        Line("ledger: reads", load.count * READ_UNITS_A_FILE, "dynamodb_read_unit"),
        Line("events", load.count, "eventbridge_event"),
        Line("queue: sent, received, deleted", load.count * 1.2, "sqs_request"),
        Line("metrics", load.count / 50, "cloudwatch_put_metrics"),
        Line("logs", load.count * LOG_BYTES_A_FILE / GIB, "logs_gb"),
    ]


def a_lambda_each(load: Files, memory: float = 2.0) -> list[Line]:
    """Return what a function of `memory` GiB a file would cost that does the same work without ledger and record.

    A function has a vCPU for each 1,769 MB: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
    """
    seconds = load.cpu / (memory * 1024 / 1769) + load.waits
    return [
        Line("requests", load.count, "lambda_request"),
        Line("GiB·s", load.count * seconds * memory, "lambda_gib_second"),
        Line("S3: results", load.count * load.puts, "s3_put"),
        Line("S3: fetching", load.count, "s3_get"),
        Line("logs", load.count * LOG_BYTES_A_FILE / GIB, "logs_gb"),
    ]


def snowpipe(load: Files) -> float:
    """Return what Snowpipe charges in USD for a load as text files, at us-east-1's credits (Standard edition)."""
    gigabytes = load.count * load.bytes / GIB
    return gigabytes * prices.of("snowpipe_credits_gb", "us-east-1") * prices.of("snowflake_credit", "us-east-1")


# CPU as `make bench-worker` has it, of small files and of a large CSV; five round trips of 30 ms for a small file.
LOADS = (
    Files("10 kB each, one a container", MILLION, 10_000, 0.014, 0.15, 1),
    Files("10 kB each, 100 a container (default)", MILLION, 10_000, 0.014, 0.15, 100),
    Files("10 kB each, 1,000 a container", MILLION, 10_000, 0.014, 0.15, 1000),
    Files("1 GB each, one a container", MILLION, 10**9, 16.6, 1.0, 1, puts=12),
)
