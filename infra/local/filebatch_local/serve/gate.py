"""Who may use the local AWS: clients that hold its key. No web page, and no other user of the machine.

A browser sends what any page asks for, to loopback, too. Such requests have headers that no AWS client
sends (https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/), or a name in Host that
isn't this server's (DNS rebinding). The key keeps out everybody else, and pages of a browser that sends none of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from filebatch_local.base import access

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# Signature versions 4 and 2, and requests under `/_filebatch/`.
AUTHORIZATION = re.compile(r"(?:AWS4-HMAC-SHA256\s.*?Credential=|AWS |Bearer )(?P<id>[^/:,\s]+)")
PRESIGNED = ("X-Amz-Credential", "AWSAccessKeyId")
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"

# What a bucket holds may be anybody's file: a browser must save it, and neither show nor run it.
NEVER_RUN = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
NEVER_SHOWN = {"Content-Disposition": "attachment", **NEVER_RUN}


@dataclass(frozen=True)
class Names:
    """The names of a server, `name:port`, as a Host header has them."""

    hosts: frozenset[str]

    @classmethod
    def of(cls, host: str, port: int, published: int | None = None) -> Names:
        """Return the names of a server at a host and port, and on loopback at a container's published port."""
        ports = {port, published or port}
        return cls(frozenset([f"{host}:{port}", *(f"{name}:{each}" for name in LOOPBACK for each in ports)]))

    def __contains__(self, host: object) -> bool:
        """Tell whether a Host header is one of these names, or a bucket's below one."""
        asked = str(host).lower()
        asked = asked if re.search(r":\d+$", asked) else f"{asked}:80"
        return asked in self.hosts or any(self._is_bucket_below(name, asked) for name in self.hosts)

    @staticmethod
    def _is_bucket_below(name: str, asked: str) -> bool:
        return not _is_address(name) and bool(re.fullmatch(f"{BUCKET}\\.{re.escape(name)}", asked))


def foreign(headers: Mapping[str, str], names: Names, *, own_pages: bool = False) -> str | None:
    """Say why a request comes from a page that isn't the server's own, None where it doesn't.

    Args:
        headers: the request's, by names in small letters.
        names: the server's names.
        own_pages: the server has pages, which send their Origin.
    """
    host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site", "none")
    if host not in names:
        return f"expected this server's name in Host ({', '.join(sorted(names.hosts))}), found {host!r}"
    if origin is not None and not (own_pages and origin == f"http://{host}"):
        return f"expected no Origin but the server's own: web pages may not ask it anything, found {origin!r}"
    if site not in ("none", "same-origin"):
        return f"expected no request from another site's page, found Sec-Fetch-Site {site!r}: type or paste the address"
    return None


def access_key_id(authorization: str, query: str) -> str:
    """Return the access key id that a request was signed with, in a header or a presigned URL; "" for none."""
    if found := AUTHORIZATION.match(authorization):
        return found["id"]
    asked = parse_qs(query)
    return next((asked[name][0].split("/", 1)[0] for name in PRESIGNED if name in asked), "")


class Gate:
    """WSGI middleware in front of everything that the server serves."""

    def __init__(self, app: Any, names: Names, key: str) -> None:
        self._app, self._names, self._key = app, names, key

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass on an allowed request; answer 403 to any other, with the reason."""
        if refusal := self._refusal(environ):
            content_type, body = _answer(environ.get("CONTENT_TYPE", ""), refusal)
            headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
            start_response("403 Forbidden", [*headers, *NEVER_RUN.items()])
            return [body]

        # An answer to HEAD has nothing to show, and is where clients read what an object's own headers are.
        ours = NEVER_RUN if environ["REQUEST_METHOD"] == "HEAD" else NEVER_SHOWN

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            kept = [(name, value) for name, value in headers if name.title() not in ours]
            return start_response(status, [*kept, *ours.items()], *more)

        return self._app(environ, start)  # type: ignore[no-any-return]  # WSGI

    def _refusal(self, environ: Mapping[str, Any]) -> str | None:
        if refusal := foreign(_headers(environ), self._names):
            return refusal
        asks = access_key_id(environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", ""))
        if access.holds(asks, self._key):
            return None
        return 'expected the access key of this start of the local AWS, found another or none: eval "$(make -s env)"'


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    return {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name[:5] == "HTTP_"}


def _answer(asked_in: str, refusal: str) -> tuple[str, bytes]:
    """Return content type and body of a refusal: JSON where the client sent JSON, else XML."""
    if "json" in asked_in:
        return "application/json", json.dumps({"__type": "AccessDenied", "message": refusal}).encode()
    error = f"<Error><Code>AccessDenied</Code><Message>{escape(refusal)}</Message></Error>"
    return "application/xml", f"<ErrorResponse>{error}</ErrorResponse>".encode()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.rpartition(":")[0].strip("[]"))
    except ValueError:
        return False
    return True
