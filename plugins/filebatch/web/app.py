"""The application below `/filebatch`: three static files, and JSON below `/filebatch/api/`.

Airflow protects no plugin's application: each request here needs a login, and each feed the permission on its DAG.
https://airflow.apache.org/docs/apache-airflow/stable/security/api.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from filebatch.core import clock
from filebatch.core.errors import FilebatchError
from filebatch.core.records import FileState
from filebatch.queries import container_log, documents, files, overview, run_files
from filebatch.queries.files import Wanted
from filebatch.runs.context import FeedContext
from filebatch.web import access, acting, one_file, place

STATIC = Path(__file__).parent / "static"
SERVED = {"page": "page.html", "page.js": "page.js", "page.css": "page.css"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MAX_TEXT = 1024  # bytes of a key, and more than any code
Text = Annotated[str, Query(max_length=MAX_TEXT)]


def build() -> FastAPI:
    """Return the application."""
    app = FastAPI(title="filebatch", dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(_with_headers)
    for kind in (FilebatchError, ClientError, BotoCoreError):
        app.exception_handler(kind)(_told)
    for path, name in SERVED.items():
        app.get(f"/{path}")(_serving(name))
    app.get("/api/feeds")(feeds)
    app.get("/api/held")(held)
    app.get("/api/files")(files_)
    app.get("/api/run")(run)
    app.get("/api/file")(file)
    app.get("/api/log")(log)
    app.post("/api/act")(act)
    return app


def feeds(user: GetUserDep) -> list[dict[str, Any]]:
    """Return how the feeds are doing that the user may see; 35 requests to AWS for each."""
    return [_overview(name) for name in place.names() if access.may_see(user, name)]


def held(user: GetUserDep, feed: Text) -> dict[str, Any]:
    """Return why no run claims what waits of a feed, None where runs do; 1 request to AWS."""
    return {"feed": feed, "held": overview.held(_seen(user, feed))}


def files_(
    user: GetUserDep,
    feed: Text,
    state: FileState | None = None,
    code: Text = "",
    since: Text = "",
    key: Text = "",
    cursor: Text | None = None,
) -> dict[str, Any]:
    """Return a page of a feed's files, and where the next begins; at most 5 requests to AWS."""
    ctx = _seen(user, feed)
    wanted = Wanted(state, code.strip(), _moment(since), _key(ctx, key))
    found = files.page(ctx, wanted, after=cursor or None)
    listed = [documents.of_file(each) for each in found.files]
    return {"feed": feed, "may_act": access.may_act(user, feed), "files": listed, "cursor": found.more}


def run(user: GetUserDep, feed: Text, run: Text, cursor: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
    """Return a page of one run's files, and what the run came to; at most 5 requests to AWS."""
    found = run_files.page(_seen(user, feed), run, cursor)
    return {"feed": feed, "run_id": run, **documents.of_run(found)}


def file(user: GetUserDep, feed: Text, key: Text) -> dict[str, Any]:
    """Return one file's story."""
    ctx, wanted = _one(user, feed, key)
    return {**one_file.of_key(ctx, wanted), "may_act": access.may_act(user, feed)}


def log(user: GetUserDep, feed: Text, key: Text) -> dict[str, Any]:
    """Return what the container wrote that did a file last; at most 5 requests to AWS."""
    return documents.of_log(container_log.of_key(*_one(user, feed, key)))


async def act(user: GetUserDep, request: Request, asked: acting.Asked) -> JSONResponse:
    """Start a run of the feed's DAG that does files again, in the user's name."""
    access.require(access.may_act(user, asked.feed), f"start runs of {asked.feed!r}")
    if asked.feed not in place.names():
        raise HTTPException(404, f"feed: expected one of {', '.join(place.names())}; found {asked.feed!r}")
    status, answer = await acting.start(asked, request.headers)
    return JSONResponse(answer, status)


def _overview(name: str) -> dict[str, Any]:
    """Return how a feed is doing; one that is broken must not hide the others, so its fault stands in its place."""
    try:
        ctx = place.context(name)
        return documents.of_feed(overview.of_feed(ctx)) if ctx else {"feed": name, "problem": "its file is gone"}
    except (FilebatchError, ClientError, BotoCoreError) as error:
        return {"feed": name, "problem": str(error)}


def _seen(user: Any, feed: str) -> FeedContext:
    access.require(access.may_see(user, feed), f"see the files of {feed!r}")
    ctx = place.context(feed)
    if ctx is None:
        raise HTTPException(404, f"feed: expected one of {', '.join(place.names())}; found {feed!r}")
    return ctx


def _one(user: Any, feed: str, key: str) -> tuple[FeedContext, str]:
    ctx = _seen(user, feed)
    wanted = _key(ctx, key)
    if not ctx.feed.covers(wanted):
        raise HTTPException(404, f"key: expected one below {ctx.feed.prefix}, the prefix of {feed}")
    return ctx, wanted


def _key(ctx: FeedContext, given: str) -> str:
    return given.strip().removeprefix(f"s3://{ctx.settings.new_files}/")


def _moment(given: str) -> datetime | None:
    try:
        return clock.parse_utc(given) if given else None
    except ValueError as error:
        raise HTTPException(422, f"since: expected such as 2026-01-02T03:04:05Z, found {given!r}") from error


def _serving(name: str) -> Callable[[], FileResponse]:
    return lambda: FileResponse(STATIC / name)


def _told(_: Request, error: Exception) -> JSONResponse:
    """Say what keeps the page from its data."""
    return JSONResponse({"detail": str(error)}, 503)


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = await call_next(request)
    answer.headers.update(HEADERS)
    return answer
