"""The access key of a local AWS: made when it starts, readable by its owner, part of every request.

AWS clients send it by themselves, as it is part of the access key id: `NAME.KEY`, such as `airflow.KEY`. So the server
needn't compute signatures, and nobody types the key. A presigned URL holds it, too.
"""

from __future__ import annotations

import hmac
import json
import secrets
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filebatch_local.base import private

DEVELOPER, JOB = "filebatch-local", "filebatch-local-job"
SPARED = "filebatch-local-spared"  # whose requests never go wrong: the server's own, and those of tests that look on


def key_of_this_start(file: Path, *, keep: bool = False) -> str:
    """Return a new key, or with `keep` the last start's where there is one; write it to the file."""
    if keep and file.exists():
        return file.read_text(encoding="ascii")
    key = secrets.token_hex(20)
    private.write(file, key)
    return key


def credentials(key: str, who: str = DEVELOPER) -> dict[str, str]:
    """Return the environment variables with which an AWS client is let in, under a name."""
    return {"AWS_ACCESS_KEY_ID": access_key_id(key, who), "AWS_SECRET_ACCESS_KEY": key}


def access_key_id(key: str, who: str = DEVELOPER) -> str:
    """Return the access key id of somebody who has the key."""
    return f"{who}.{key}"


def who(access_key_id: str) -> str:
    """Return the name in an access key id."""
    return access_key_id.rpartition(".")[0]


def without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without its AWS_ variables, which may name a real account, profile or endpoint."""
    return {name: value for name, value in environ.items() if not name.startswith("AWS_")}


def ask(endpoint: str, key: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Ask a local AWS for something under `/_filebatch/`; return its answer.

    Raises:
        OSError: nobody answers, or the answer is no (urllib's HTTPError).
    """
    request = urllib.request.Request(  # noqa: S310 - our own endpoint
        f"{endpoint}/_filebatch/{path}",
        method=method,
        data=json.dumps(body or {}).encode(),
        headers={"Authorization": f"Bearer {access_key_id(key)}"},
    )
    # Never through a proxy: it would get the key.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.loads(answer.read())


def holds(access_key_id: str, key: str) -> bool:
    """Tell whether an access key id holds the key, in constant time."""
    return hmac.compare_digest(access_key_id.rpartition(".")[2].encode(), key.encode())
