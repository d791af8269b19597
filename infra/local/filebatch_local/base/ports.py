"""Ports of this machine."""

from __future__ import annotations

import errno
import socket

from filebatch_local.base.layout import HOST, LocalAwsError


def listen(
    port: int, host: str = HOST, what: str = "the local AWS", variable: str = "FILEBATCH_AWS_PORT"
) -> socket.socket:
    """Take a port, 0 for any free one, of one interface.

    Args:
        port: the port.
        host: name or address of the interface.
        what: what the port is for, in an error.
        variable: the environment variable with which another is chosen for all commands, in an error.

    Raises:
        LocalAwsError: somebody has it, or the host is none of this machine's.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE and host != HOST:
            raise LocalAwsError(
                f"cannot listen at {host} ({error.strerror}): expected --host to be a name or address of this machine."
            ) from error
        raise LocalAwsError(
            f"port {port} on {host} is taken ({error.strerror}): expected it free for {what}. See who has it with "
            f"`lsof -nP -iTCP:{port} -sTCP:LISTEN`, stop that, or choose another port for all commands: "
            f"`export {variable}={port + 1}`."
        ) from error
    listener.listen(128)
    return listener


def free_port() -> int:
    """Return a port on loopback that nobody listens on now."""
    with listen(0) as listener:
        return int(listener.getsockname()[1])
