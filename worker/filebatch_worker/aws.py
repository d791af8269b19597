"""The AWS clients of the worker, made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from filebatch.core.contract import IN_FLIGHT
from filebatch.core.parallel import THREADS
from filebatch.core.publishing import SHORT_TIMEOUTS

RETRIES = {"mode": "standard", "total_max_attempts": 6}


@dataclass(frozen=True)
class Aws:
    """Clients of the three services that the worker calls."""

    s3: Any
    dynamodb: Any
    cloudwatch: Any


def connect() -> Aws:
    """Make the clients from the container's role and region."""
    import boto3
    from botocore.config import Config

    session = boto3.session.Session()
    config = Config(retries=RETRIES, max_pool_connections=THREADS + 4 * IN_FLIGHT)
    s3, dynamodb = (session.client(name, config=config) for name in ("s3", "dynamodb"))
    return Aws(s3, dynamodb, session.client("cloudwatch", config=SHORT_TIMEOUTS))
