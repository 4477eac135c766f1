"""What the launcher and its children say to the person at the terminal."""

import os
import signal
import sys


def write_lines(lines: list[bytes], *, name: str) -> None:
    """Write what the program `name` said: a JSON line speaks for itself, any other stands behind the name."""
    head = f"{name:<8}| ".encode()
    _write(b"".join((line if line.startswith(b"{") else head + line) + b"\n" for line in lines))


def is_warning(line: bytes) -> bool:
    """Return whether a JSON log line tells more than that all goes well."""
    return line.startswith(b"{") and not any(
        level in line for level in (b'"level":"info"', b'"level":"debug"')
    )


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
