"""What the launcher and its children say to the person at the terminal."""

import os
import signal
import sys


def write_lines(lines: list[bytes], *, prefix: str) -> None:
    """Write what a child said, each line behind its name."""
    head = f"{prefix:<8}| ".encode()
    _write(b"".join(head + line + b"\n" for line in lines))


def say(text: str) -> None:
    """Write the launcher's own words."""
    _write(f"{text}\n".encode())


def _write(text: bytes) -> None:
    try:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Nobody reads any more (`make run | head`): fall silent and end as after SIGTERM.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.kill(os.getpid(), signal.SIGTERM)
