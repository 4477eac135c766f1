"""TCP ports of this machine: which is free, which is taken."""

import socket

from deploy.local.refusals import CannotStart

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_used_port(*, host: str, port: int) -> None:
    """Refuse when somebody listens on `port` already."""
    try:
        with socket.create_server((host, port)):
            return
    except OverflowError:
        raise CannotStart(f"PORT={port} is no port: give a number from 1 to 65535.") from None
    except PermissionError:
        raise CannotStart(
            f"Port {port} is for root alone: choose one above 1023, as in `PORT=8000 make run`."
        ) from None
    except OSError as error:
        raise CannotStart(
            f"Port {port} on {host} can't be used ({error.strerror}): stop what listens there, "
            f"or choose another one, as in `PORT={port + 1} make run`."
        ) from error
