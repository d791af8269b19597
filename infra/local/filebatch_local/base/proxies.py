"""Requests to this machine go through no proxy: a company's proxy can't reach it, and would see the keys."""

from __future__ import annotations

from collections.abc import Mapping

LOOPBACK = ("127.0.0.1", "localhost")


def without_proxy(environ: Mapping[str, str], *hosts: str) -> dict[str, str]:
    """Return `NO_PROXY` and `no_proxy` with these hosts and loopback added to what an environment says.

    Clients differ in which of the two they read; where there is only one, it holds for both.
    """
    said = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    listed = [host.strip() for host in said.split(",") if host.strip()]
    if "*" not in listed:
        listed = list(dict.fromkeys([*listed, *LOOPBACK, *hosts]))
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(listed))
