"""aiobotocore clients that the triggers of one event loop share: each costs megabytes and tenths of a second.

A client lives as long as somebody uses it. One whose credentials were refused is given up, so that the next use makes
a new one, which reads the credentials again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from botocore.config import Config
from botocore.exceptions import ClientError, CredentialRetrievalError, NoCredentialsError, PartialCredentialsError

from filebatch.task_log import quiet_clients

LONG_POLL = 20  # seconds, SQS's longest
# A feed's long poll holds a connection; all feeds of a process share one pool.
CONFIG = Config(
    connect_timeout=5,
    read_timeout=LONG_POLL + 10,
    max_pool_connections=1000,
    retries={"mode": "standard", "total_max_attempts": 3},
)
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and each service's common errors
REFUSED_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
    }
)


@dataclass(frozen=True)
class Source:
    """Where clients come from: an Airflow connection (None for boto3's own chain) and a region."""

    aws_conn_id: str | None
    region: str


@dataclass
class _Shared:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    client: Any = None
    users: int = 0


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[Source, str], _Shared]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def client(source: Source, service: str) -> AsyncIterator[Any]:
    """Lend this event loop's client of a service; a body that ends with refused credentials has it given up."""
    pool, key = _pools.setdefault(asyncio.get_running_loop(), {}), (source, service)
    shared = pool.setdefault(key, _Shared())
    shared.users += 1
    try:
        yield await _opened(shared, source, service)
    except Exception as error:
        if credentials_refused(error):
            _give_up(pool, key, shared)
        raise
    finally:
        shared.users -= 1
        if not shared.users:
            _give_up(pool, key, shared)
            await shared.stack.aclose()


def credentials_refused(error: Exception) -> bool:
    """Tell whether AWS refused the credentials, or none were found."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") in REFUSED_CREDENTIALS
    return isinstance(error, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError))


async def _opened(shared: _Shared, source: Source, service: str) -> Any:
    async with shared.lock:
        if shared.client is None:
            made = await sync_to_async(_make)(source, service)
            shared.client = await shared.stack.enter_async_context(made)
    return shared.client


def _make(source: Source, service: str) -> Any:
    """Return a client yet to be entered; the connection is read, so this is no work for the event loop."""
    quiet_clients()
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    hook: Any = AwsGenericHook(aws_conn_id=source.aws_conn_id, client_type=service, region_name=source.region)
    return hook.get_client_type(region_name=source.region, config=hook.config.merge(CONFIG), deferrable=True)


def _give_up(pool: dict[tuple[Source, str], _Shared], key: tuple[Source, str], shared: _Shared) -> None:
    if pool.get(key) is shared:
        del pool[key]
