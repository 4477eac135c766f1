"""Single processes: ties their life to the parent's, ends whole groups, names how one ended."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)

Process = subprocess.Popen[bytes]


def die_with_parent(orphan_signal: signal.Signals | None) -> Callable[[], None] | None:
    """Return what a child does before its program runs: ask the kernel for a signal at its parent's death.

    Only Linux knows this. The kernel watches the thread that forks, so fork from the main thread.
    """
    if orphan_signal is None or sys.platform != "linux":
        return None
    parent = os.getpid()

    def ask_for_signal() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_for_signal


def end_with_make() -> None:
    """Under make, end when make is killed, as nobody would know this process any more."""
    if "MAKELEVEL" in os.environ and sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def kill_group(process: Process) -> None:
    """Kill a child that leads a process group, and what is left of the group; return when it is reaped."""
    with contextlib.suppress(
        ProcessLookupError, PermissionError
    ):  # macOS says the latter of a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def describe_end(return_code: int) -> str:
    """Return in words how a process ended, from its return code as `subprocess` gives it."""
    return f"signal {signal.Signals(-return_code).name}" if return_code < 0 else f"exit code {return_code}"
