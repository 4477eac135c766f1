"""A small second process that ends what a killed supervisor leaves behind.

The kernel tells the supervisor's own children of its death; their children (a web worker in the middle of a request,
a task under way) hear of it only if their parents care. The undertaker has a pipe to the supervisor, and reads the
end of file when that is gone, however it went.
"""

import os
import signal
import time

GRACE_S = 5.0
CHECK_EVERY_S = 0.1
MOST_DESCRIPTORS = 1024


class Undertaker:
    """Knows the process groups that run; kills those that are left `GRACE_S` after this process died."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                _wait_and_bury(reader)
            finally:
                os._exit(0)
        os.close(reader)

    def note_start(self, group: int) -> None:
        """Note that a process group runs."""
        os.write(self._writer, b"+%d\n" % group)

    def note_end(self, group: int) -> None:
        """Note that nothing of a process group is left."""
        os.write(self._writer, b"-%d\n" % group)

    def dismiss(self) -> None:
        """End the undertaker itself, when all groups have ended."""
        os.close(self._writer)
        os.waitpid(self._pid, 0)


def _wait_and_bury(reader: int) -> None:
    os.setsid()  # out of reach of the terminal's Ctrl-C
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Nothing of the supervisor's may stay open here: not its end of the pipe, not the lock on the data, not the console.
    os.dup2(reader, 0)
    os.closerange(1, MOST_DESCRIPTORS)
    groups: set[int] = set()
    with os.fdopen(0, "rb") as notes:
        for note in notes:
            (groups.add if note.startswith(b"+") else groups.discard)(int(note[1:]))
    latest = time.monotonic() + GRACE_S
    while time.monotonic() < latest and any(_signal_group(group, 0) for group in groups):
        time.sleep(CHECK_EVERY_S)
    for group in groups:
        _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group (0 only asks); return whether anything is left of it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
