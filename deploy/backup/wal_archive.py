"""The sealed write-ahead log, and the receiver's last file that isn't whole yet."""

import gzip
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path

from deploy.backup.catalogue import READ_BYTES, fsync_folder
from deploy.backup.refusals import Refused
from deploy.backup.sealed_files import OpeningReader, SealingWriter
from deploy.backup.settings import Settings
from deploy.backup.wal_names import (
    HISTORY_NAME,
    SEGMENT_BYTES,
    SEGMENT_NAME,
    Segment,
    needed_segments,
    read_history,
    read_segment,
)

SUFFIX = ".gz.sealed"
PARTIAL = ".partial"
# The log compresses well at any level, and the receiver shares its processor.
COMPRESSION = 1


def wal_folder(settings: Settings) -> Path:
    return settings.directory / "wal"


def seal_finished(settings: Settings) -> list[str]:
    """Move what the receiver has finished into the archive, sealed; return the names.

    A file is on the archive's disk before it leaves the spool. Refuses a second file of a name with another content:
    two servers then believe to be the primary.
    """
    sealed = []
    for path in sorted(settings.spool.iterdir()):
        if not (SEGMENT_NAME.fullmatch(path.name) or HISTORY_NAME.fullmatch(path.name)):
            continue
        target = wal_folder(settings) / f"{path.name}{SUFFIX}"
        if not target.exists():
            seal_file(path, target, name=f"wal/{path.name}", settings=settings)
        elif open_file(target, name=f"wal/{path.name}", keys=settings.keys) != path.read_bytes():
            raise Refused(f"{path.name} of the write-ahead log was received twice with different content.")
        path.unlink()
        sealed.append(path.name)
    return sealed


def seal_file(source: Path, target: Path, *, name: str, settings: Settings) -> None:
    """Compress and seal one file; `target` is there in whole or not at all."""
    draft = target.with_name(f"{target.name}.new")
    key_id, key = settings.sealing_key
    with source.open("rb") as content, draft.open("wb") as file:
        with (
            SealingWriter(file, name=name, key_id=key_id, key=key) as sealing,
            gzip.GzipFile(fileobj=sealing, mode="wb", compresslevel=COMPRESSION, mtime=0) as packing,
        ):
            shutil.copyfileobj(content, packing, READ_BYTES)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    fsync_folder(target.parent)


def open_file(path: Path, *, name: str, keys: Mapping[str, bytes]) -> bytes:
    """Return the content of one sealed file. Refuses one that can't be believed."""
    try:
        with (
            path.open("rb") as file,
            OpeningReader(file, name=name, keys=keys) as opening,
            gzip.GzipFile(fileobj=opening, mode="rb") as unpacking,
        ):
            return unpacking.read()
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(f"{name} can't be read: {error}.") from error


class HeldLog:
    """What there is of the log: sealed files, and the receiver's spool where that is at hand."""

    def __init__(self, settings: Settings, *, spool: Path | None) -> None:
        self._settings = settings
        self._paths: dict[Segment, Path] = {}
        self.histories: dict[int, str] = {}
        if spool is not None:
            # The unfinished file first: a finished one of that name takes its place.
            for path in sorted(spool.iterdir(), key=lambda each: each.suffix != PARTIAL):
                self._note(path, path.name.removesuffix(PARTIAL))
        for path in sorted(wal_folder(settings).glob(f"*{SUFFIX}")):
            self._note(path, path.name.removesuffix(SUFFIX))

    def _note(self, path: Path, name: str) -> None:
        if SEGMENT_NAME.fullmatch(name):
            self._paths[read_segment(name)] = path
        elif HISTORY_NAME.fullmatch(name):
            self.histories[int(name[:8], 16)] = self._content(path, name).decode()

    def holds(self, segment: Segment) -> bool:
        return segment in self._paths

    def needed(self, *, start_lsn: int, timeline: int) -> list[Segment]:
        """Return what a recovery from there needs. Refuses a hole."""
        histories = {number: read_history(text) for number, text in self.histories.items()}
        return needed_segments(
            start_lsn=start_lsn, timeline=timeline, held=self._paths.keys(), histories=histories
        )

    def read(self, segment: Segment) -> bytes:
        """Return a segment's content, proved where it was sealed. Refuses what isn't as long as a segment."""
        content = self._content(self._paths[segment], segment.name)
        if len(content) != SEGMENT_BYTES:
            raise Refused(f"{segment.name} has {len(content)} bytes; only segments of 16 MiB are known here.")
        return content

    def _content(self, path: Path, name: str) -> bytes:
        if path.suffix == ".sealed":
            return open_file(path, name=f"wal/{name}", keys=self._settings.keys)
        return path.read_bytes()


def remove_before(settings: Settings, number: int) -> int:
    """Remove the sealed segments before a number, of every timeline; return how many. Histories stay: they are small."""
    going = [
        path
        for path in wal_folder(settings).glob(f"*{SUFFIX}")
        if SEGMENT_NAME.fullmatch(path.name.removesuffix(SUFFIX))
        and read_segment(path.name.removesuffix(SUFFIX)).number < number
    ]
    # The oldest first, so that what stays has no hole when this is cut short.
    for path in sorted(going, key=lambda each: read_segment(each.name[:24])):
        path.unlink()
    return len(going)
