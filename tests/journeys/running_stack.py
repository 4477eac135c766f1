"""The whole of Open Wallet as `make run` starts it, on a free port and a folder of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_START_S = 90.0
LONGEST_STOP_S = 30.0
KEPT_VARIABLES = ("HOME", "LANG", "OPEN_WALLET_PG_BIN", "PATH", "PYTHON", "TMPDIR")


@dataclass(frozen=True)
class Stack:
    """Where it answers, and the password of the demo accounts."""

    url: str
    password: str


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def is_ready(url: str) -> bool:
    """Tell whether it answers, and has all that it needs."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def running_stack(folder: Path, **variables: str) -> Iterator[Stack]:
    """Start everything, wait until it is ready, and stop it again; what it said is in `folder/said`.

    `variables` are given to it besides its own, such as the database that it shall use.
    """
    port, password = free_port(), "a password of the tests"
    url = f"http://127.0.0.1:{port}"
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | {
        "OPEN_WALLET_DATA": str(folder / "data"),
        "PORT": str(port),
        "DEMO_PASSWORD": password,
        "RATE_LIMIT_GLOBAL": "100000/15m",
        "RATE_LIMIT_USER": "100000/15m",
        "RATE_LIMIT_PAYMENT": "100000/15m",
        **variables,
    }
    with (folder / "said").open("w") as said:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "run"],
            cwd=ROOT,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + LONGEST_START_S
            while not is_ready(url):
                if launcher.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"It didn't start:\n{(folder / 'said').read_text()}")
                time.sleep(0.2)
            yield Stack(url=url, password=password)
        finally:
            launcher.terminate()
            launcher.wait(timeout=LONGEST_STOP_S)
