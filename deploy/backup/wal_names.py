"""Positions in the write-ahead log, the names of its files, and which of them a recovery needs.

Names and the form of history files are PostgreSQL's: src/include/access/xlog_internal.h, backend/access/transam/timeline.c.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from deploy.backup.refusals import Refused

SEGMENT_BYTES = 16 << 20
SEGMENTS_OF_A_FILE_NUMBER = (1 << 32) // SEGMENT_BYTES
SEGMENT_NAME = re.compile(r"[0-9A-F]{24}")
HISTORY_NAME = re.compile(r"[0-9A-F]{8}\.history")


@dataclass(frozen=True, order=True)
class Segment:
    """One file of the log: its number since the beginning, and the timeline that it was written on."""

    number: int
    timeline: int

    @property
    def name(self) -> str:
        high, low = divmod(self.number, SEGMENTS_OF_A_FILE_NUMBER)
        return f"{self.timeline:08X}{high:08X}{low:08X}"


def read_segment(name: str) -> Segment:
    """Read a file's name of 24 hexadecimal digits."""
    timeline, high, low = (int(name[at : at + 8], 16) for at in (0, 8, 16))
    return Segment(number=high * SEGMENTS_OF_A_FILE_NUMBER + low, timeline=timeline)


def read_lsn(text: str) -> int:
    """Read a position as PostgreSQL writes it, such as 16/B374D848, in bytes."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment_at(lsn: int, *, timeline: int) -> Segment:
    """Return the segment that the byte at `lsn` is in."""
    return Segment(number=lsn // SEGMENT_BYTES, timeline=timeline)


def read_history(text: str) -> dict[int, int]:
    """Read a history file: each earlier timeline, oldest first, and the position in bytes where it was left."""
    lines = (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {int(words[0]): read_lsn(words[1]) for words in lines}


def needed_segments(
    *, start_lsn: int, timeline: int, held: Collection[Segment], histories: Mapping[int, Mapping[int, int]]
) -> list[Segment]:
    """Return the segments from a backup's start to the end of the newest timeline that descends from it.

    PostgreSQL takes a missing file for the end of the log and would end there without a word: so a hole is refused,
    and so is a log that doesn't reach the start. Each number is taken from the one timeline that was in force when
    it ended. The end itself can't be proved from within: compare with what clients or a standby know.
    """
    followed = {timeline: 0}
    for newest in sorted({segment.timeline for segment in held}, reverse=True):
        left_at = histories.get(newest, {})
        if newest == timeline:
            break
        if timeline in left_at:
            path = [*(each for each in left_at if each >= timeline), newest]
            starts = [0, *(left_at[each] // SEGMENT_BYTES for each in path[:-1])]
            followed = dict(zip(path, starts, strict=True))
            break

    def in_force(number: int) -> Segment:
        return Segment(
            number=number, timeline=max(each for each, start in followed.items() if start <= number)
        )

    newest_held = max((each.number for each in held if each == in_force(each.number)), default=-1)
    needed = []
    for number in range(start_lsn // SEGMENT_BYTES, newest_held + 1):
        segment = in_force(number)
        if segment not in held:
            raise Refused(
                f"{segment.name} of the write-ahead log is missing, though later files are there: a recovery would "
                "end before it and lose what came after."
            )
        needed.append(segment)
    if not needed:
        name = segment_at(start_lsn, timeline=timeline).name
        raise Refused(f"The write-ahead log doesn't reach the start of the backup: {name} is missing.")
    return needed
