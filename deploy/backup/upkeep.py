"""What keeps the archive small and believed: pruning, and reading all of it again."""

from datetime import UTC, datetime
from pathlib import Path

from deploy.backup.catalogue import (
    MANIFEST,
    Backup,
    base_folder,
    chain_of,
    kept_backups,
    read_backups,
    remove_backups,
    require_whole,
)
from deploy.backup.manifests import read_manifest
from deploy.backup.refusals import Refused
from deploy.backup.restoring import combine
from deploy.backup.settings import Settings
from deploy.backup.wal_archive import HeldLog, open_file, remove_before
from deploy.backup.wal_names import SEGMENT_BYTES


def prune(settings: Settings, *, now: datetime | None = None) -> tuple[list[Backup], int]:
    """Remove what no moment of the retention needs; return the backups and the number of log files that went."""
    backups = read_backups(settings.directory)
    kept = kept_backups(backups, now=now or datetime.now(UTC), retention=settings.retention)
    kept_ids = {backup.id for backup in kept}
    going = [backup for backup in backups if backup.id not in kept_ids]
    remove_backups(settings.directory, going)
    if not kept:
        return going, 0
    return going, remove_before(settings, min(backup.start for backup in kept) // SEGMENT_BYTES)


def verify(settings: Settings, *, work: Path | None) -> tuple[int, int]:
    """Read everything that is kept; return the number of backups and of log files. Refuses the first that is unfit.

    With `work`, an empty folder, the newest chain is unpacked and put together there as well, and removed again.
    """
    backups = read_backups(settings.directory)
    if not backups:
        raise Refused("There is no backup.")
    for backup in backups:
        chain_of(backup, backups)
        require_whole(settings.directory, backup)
        path = base_folder(settings.directory) / backup.id / MANIFEST
        content = open_file(path, name=f"{backup.id}/{MANIFEST}", keys=settings.keys)
        read_manifest(content, name=f"{backup.id}/{MANIFEST}")
    held = HeldLog(settings, spool=settings.spool if settings.spool.is_dir() else None)
    oldest = min(backups, key=lambda backup: backup.start)
    segments = held.needed(start_lsn=oldest.start, timeline=oldest.timeline)
    for segment in segments:
        held.read(segment)
    if work is not None:
        (work / "chain").mkdir()
        combine(settings, chain_of(backups[-1], backups), work=work / "chain", into=work / "data")
    return len(backups), len(segments)
