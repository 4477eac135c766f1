"""Which backups there are, which of them another one needs, and which may go.

A backup is a folder below `base`; its `backup.json` is written last, so that a folder without it is nothing yet. It is
plain, for whoever has to find out what there is without the keys; that it was tampered with shows when the files that
it names are opened, as each is bound to its name, and when PostgreSQL puts the chain together, as each incremental
backup says where the one before began.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from deploy.backup.refusals import Refused
from deploy.backup.wal_names import read_lsn

FULL = "full"
INCREMENTAL = "incremental"
FORMAT = 1
DESCRIPTION = "backup.json"
CONTENT = "base.tar.gz.sealed"
MANIFEST = "backup_manifest.gz.sealed"
GOING = ".going-"
READ_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """One sealed file of a backup; the digest is of what lies on the disk, in hexadecimal."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Backup:
    """One backup: moments are in UTC, positions as PostgreSQL writes them; `parent` is the one it builds upon."""

    id: str
    kind: str
    parent: str | None
    key_id: str
    timeline: int
    start_lsn: str
    stop_lsn: str
    started_at: datetime
    finished_at: datetime
    files: tuple[StoredFile, ...]

    @property
    def start(self) -> int:
        """Where a recovery from this backup begins to read the log, in bytes."""
        return read_lsn(self.start_lsn)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def base_folder(directory: Path) -> Path:
    return directory / "base"


def write_description(folder: Path, backup: Backup) -> None:
    """Make the folder a backup."""
    content = {"format": FORMAT, **asdict(backup)}
    draft = folder / f"{DESCRIPTION}.new"
    with draft.open("w") as file:
        json.dump(content, file, indent=2, default=datetime.isoformat)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / DESCRIPTION)
    fsync_folder(folder)
    fsync_folder(folder.parent)


def read_backups(directory: Path) -> list[Backup]:
    """Return all backups, the oldest first. Refuses a description that can't be read, as its backup is lost then."""
    found = []
    for path in base_folder(directory).glob(f"[0-9]*/{DESCRIPTION}"):
        try:
            content = json.loads(path.read_text())
            if content.pop("format") != FORMAT:
                raise ValueError
            content["files"] = tuple(StoredFile(**each) for each in content["files"])
            for moment in ("started_at", "finished_at"):
                content[moment] = datetime.fromisoformat(content[moment])
            found.append(Backup(**content))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refused(f"{path} can't be read as a backup's description.") from error
    return sorted(found, key=lambda backup: (backup.finished_at, backup.id))


def chain_of(backup: Backup, backups: Iterable[Backup]) -> list[Backup]:
    """Return what a restore of `backup` needs, the full one first. Refuses where one of them is gone."""
    by_id = {each.id: each for each in backups}
    chain = [backup]
    while chain[0].parent is not None:
        parent = by_id.get(chain[0].parent)
        if parent is None:
            raise Refused(f"{chain[0].id} builds upon {chain[0].parent}, which isn't there.")
        chain.insert(0, parent)
    return chain


def kept_backups(backups: Sequence[Backup], *, now: datetime, retention: timedelta) -> list[Backup]:
    """Return those that stay, so that any moment of the last `retention` can be restored.

    These are the backups of that time, the newest one before it (its first second is restored from there), and each
    that one of these builds upon, however old. The newest backup always stays.
    """
    limit = now - retention
    young = [backup for backup in backups if backup.finished_at > limit]
    old = [backup for backup in backups if backup.finished_at <= limit]
    needed = {each.id for backup in [*young, *old[-1:]] for each in chain_of(backup, backups)}
    return [backup for backup in backups if backup.id in needed]


def remove_backups(directory: Path, going: Collection[Backup]) -> None:
    """Remove backups, the newest first: whatever stops it, no backup is left without what it builds upon."""
    for backup in sorted(going, key=lambda each: each.finished_at, reverse=True):
        folder = base_folder(directory) / backup.id
        hidden = folder.with_name(f"{GOING}{backup.id}")
        folder.rename(hidden)
        fsync_folder(hidden.parent)
    for hidden in base_folder(directory).glob(f"{GOING}*"):
        shutil.rmtree(hidden)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_whole(directory: Path, backup: Backup) -> None:
    """Compare a backup's files with their sizes and digests. Refuses, naming the first that differs."""
    for file in backup.files:
        path = base_folder(directory) / backup.id / file.name
        if not path.is_file():
            raise Refused(f"{backup.id}/{file.name} is missing.")
        if path.stat().st_size != file.size_bytes or digest_of(path) != file.sha256:
            raise Refused(f"{backup.id}/{file.name} isn't what was stored: its size or digest differs.")


def fsync_folder(folder: Path) -> None:
    """Have the folder's entries on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
