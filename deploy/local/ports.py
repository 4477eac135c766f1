"""TCP ports of this machine: which is free, which is taken."""

import os
import socket

from deploy.local.refusals import CannotStart

LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - a host that the operator may choose, never a default


def reachable(host: str) -> str:
    """Return the address at which this machine reaches a server that listens on `host`."""
    return LOOPBACK if host == EVERY_ADDRESS else host


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_used_port(*, host: str, port: int) -> None:
    """Refuse a port that somebody listens on already, or that this user may not listen on."""
    try:
        with socket.create_server((host, port)):
            return
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise CannotStart(
            f"Port {port} on {host} can't be used ({reason}): stop what listens there, "
            f"or choose another one, as in `make run PORT={port + 1}`."
        ) from error
