"""Restores: everything is opened and proved first, then PostgreSQL puts the chain together and replays the log."""

import gzip
import os
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.backup.catalogue import (
    CONTENT,
    READ_BYTES,
    Backup,
    base_folder,
    chain_of,
    read_backups,
    require_whole,
)
from deploy.backup.manifests import CHECKSUMS, require_as_listed
from deploy.backup.refusals import Refused
from deploy.backup.sealed_files import OpeningReader
from deploy.backup.settings import Settings
from deploy.backup.wal_archive import HeldLog
from deploy.backup.wal_names import Segment


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What lies there now: start PostgreSQL on `data`, and remove `log` when it has recovered."""

    data: Path
    log: Path
    chain: Sequence[Backup]
    segments: Sequence[Segment]


def restore(
    settings: Settings, *, into: Path, until: datetime | None = None, is_spool_lost: bool = False
) -> Restored:
    """Lay down a data directory that recovers to the end of the log, or to a moment, when PostgreSQL starts on it.

    `until` has a time zone; a commit of exactly that moment is in. With `is_spool_lost` the receiver's last file is
    done without. Refuses what is missing, changed or sealed with an unknown key, and then leaves nothing behind.
    """
    log = into.with_name(f"{into.name}.wal")
    for path in (into, log):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise Refused(f"{path} isn't empty: name a folder that is, or that isn't there.")
    if not is_spool_lost and not settings.spool.is_dir():
        raise Refused(
            f"{settings.spool} isn't there: without it give --without-spool, and the last log is lost."
        )
    backups = read_backups(settings.directory)
    chosen = choose_backup(backups, until=until)
    chain = chain_of(chosen, backups)
    held = HeldLog(settings, spool=None if is_spool_lost else settings.spool)
    segments = held.needed(start_lsn=chosen.start, timeline=chosen.timeline)
    work = into.with_name(f"{into.name}.work")
    os.umask(0o077)
    try:
        for folder in (log, work):
            folder.mkdir(parents=True, exist_ok=True)
        for segment in segments:
            (log / segment.name).write_bytes(held.read(segment))
        for number, text in held.histories.items():
            (log / f"{number:08X}.history").write_text(text)
        combine(settings, chain, work=work, into=into)
        configure(into, log=log, until=until, timeline=segments[-1].timeline)
    except BaseException:
        for folder in (into, log):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Restored(data=into, log=log, chain=chain, segments=segments)


def choose_backup(backups: Sequence[Backup], *, until: datetime | None) -> Backup:
    """Return the newest backup, or the newest that was done by `until`. Refuses where there is none."""
    fitting = [backup for backup in backups if until is None or backup.finished_at <= until]
    if not fitting:
        raise Refused("There is no backup." if until is None else f"There is no backup from before {until}.")
    return fitting[-1]


def combine(settings: Settings, chain: Sequence[Backup], *, work: Path, into: Path) -> None:
    """Unpack a chain of backups and put it together. Refuses what the manifests don't confirm."""
    folders = [work / backup.id for backup in chain]
    for backup, folder in zip(chain, folders, strict=True):
        require_whole(settings.directory, backup)
        folder.mkdir()
        unpack(settings, backup, into=folder)
        require_as_listed(folder, name=backup.id)
    if len(folders) == 1:
        into.parent.mkdir(parents=True, exist_ok=True)
        folders[0].replace(into)
    else:
        command = [
            settings.program("pg_combinebackup"),
            f"--manifest-checksums={CHECKSUMS}",
            f"--output={into}",
        ]
        combined = subprocess.run([*command, *map(str, folders)], capture_output=True, text=True)
        if combined.returncode != 0:
            raise Refused(f"The chain doesn't fit together: {_last_line(combined.stderr)}")
        require_as_listed(into, name=f"{chain[-1].id} put together")
    into.chmod(0o700)


def unpack(settings: Settings, backup: Backup, *, into: Path) -> None:
    """Unpack one backup. Refuses one that can't be believed, at the latest when its end has been read."""
    path = base_folder(settings.directory) / backup.id / CONTENT
    try:
        with (
            path.open("rb") as file,
            OpeningReader(file, name=f"{backup.id}/{CONTENT}", keys=settings.keys) as opening,
            gzip.GzipFile(fileobj=opening, mode="rb") as unpacking,
        ):
            with tarfile.open(fileobj=unpacking, mode="r|", bufsize=READ_BYTES) as archive:
                archive.extractall(into, members=_inside(archive))  # noqa: S202 - sealed by us, and looked at
            while unpacking.read(READ_BYTES):
                pass
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise Refused(f"{backup.id}/{CONTENT} can't be unpacked: {error}.") from error


def _inside(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the members of a backup: files and folders of its own, nothing that leads out of it."""
    for member in archive:
        path = Path(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            raise Refused(f"A backup holds no {member.name}: tablespaces and links aren't known here.")
        yield member


def configure(data: Path, *, log: Path, until: datetime | None, timeline: int) -> None:
    """Tell PostgreSQL to recover from `log`.

    Nobody is a synchronous standby of the restored server yet: it would acknowledge nothing, so the list is emptied.
    """
    command = f'cp "{log.absolute()}/%f" "%p"'
    lines = [
        "",
        "# Written by the restore; the last value of a setting counts.",
        f"restore_command = {_quoted(command)}",
        f"recovery_target_timeline = '{timeline}'",
        "recovery_target_action = 'promote'",
        "synchronous_standby_names = ''",
    ]
    if until is not None:
        lines.append(f"recovery_target_time = {_quoted(until.isoformat())}")
    with (data / "postgresql.auto.conf").open("a") as file:
        file.write("\n".join([*lines, ""]))
    (data / "recovery.signal").touch()
    (data / "standby.signal").unlink(missing_ok=True)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
