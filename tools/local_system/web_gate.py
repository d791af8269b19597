"""In front of Airflow's web server: only its own pages may send requests, and a link logs the developer in.

An ASGI application (https://asgi.readthedocs.io/en/latest/specs/www.html) around Airflow's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import httpx

from filebatch_local.serve.gate import Names, foreign
from local_system.airflow import LOGIN, USER

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/auth-manager/index.html (COOKIE_NAME_JWT_TOKEN)
COOKIE = "_token"


class WebGate:
    """Airflow's application, behind the check of a request's headers."""

    def __init__(self, app: App, names: Names) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on allowed requests; answer 403 to those of another page or under another name than the server's."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif refusal := foreign(_headers(scope), self._names, own_pages=True):
            await _answer(send, 403, refusal)
        elif scope["path"] == LOGIN:
            await self._log_in(scope, send)
        else:
            await self._app(scope, receive, send)

    async def _log_in(self, scope: Scope, send: Send) -> None:
        """Check the password in a link with Airflow itself, and set the cookie that its login page sets."""
        password = parse_qs(scope["query_string"].decode("ascii", "replace")).get("key", [""])[0]
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as airflow:
            asked = await airflow.post("/auth/token", json={"username": USER, "password": password})
        if asked.status_code != httpx.codes.CREATED:
            await _answer(send, 403, "expected the link of this start: `make status` prints it")
            return
        cookie = f"{COOKIE}={asked.json()['access_token']}; Path=/; HttpOnly; SameSite=Lax"
        await _answer(send, 303, "", {"Location": "/", "Set-Cookie": cookie})


def _headers(scope: Scope) -> dict[str, str]:
    """Return a request's headers; the values of one that comes twice are joined, so that neither is accepted."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        found[key] = ",".join(filter(None, (found.get(key), value.decode("latin-1"))))
    return found


async def _answer(send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    told = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": text.encode()})
