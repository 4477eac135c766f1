"""The processor time that trees of processes have used, read from /proc."""

import os
from collections.abc import Collection
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat, counted after the name: parent, then user and system time, own and of ended children.
_PARENT = 1
_TIMES = slice(11, 15)


def parent_of(pid: int) -> int:
    """Tell the process's parent."""
    return int(_fields(pid)[_PARENT])


def cpu_s(roots: Collection[int]) -> float:
    """Sum up the processor time, in seconds, of processes and all below them, those that have ended included."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        pid = int(folder.name)
        try:
            fields = _fields(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[pid] = int(fields[_PARENT])
        ticks[pid] = sum(int(field) for field in fields[_TIMES])
    return sum(count for pid, count in ticks.items() if _is_below(pid, roots, parents)) / _TICKS_PER_S


def _is_below(pid: int, roots: Collection[int], parents: dict[int, int]) -> bool:
    while pid:
        if pid in roots:
            return True
        pid = parents.get(pid, 0)
    return False


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
