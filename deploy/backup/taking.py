"""Takes full and incremental backups: PostgreSQL's own, as a stream, sealed before anything touches a disk."""

import gzip
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from deploy.backup.catalogue import (
    CONTENT,
    FULL,
    INCREMENTAL,
    MANIFEST,
    READ_BYTES,
    Backup,
    StoredFile,
    base_folder,
    chain_of,
    digest_of,
    read_backups,
    write_description,
)
from deploy.backup.manifests import CHECKSUMS, read_manifest
from deploy.backup.manifests import NAME as MANIFEST_OF_POSTGRESQL
from deploy.backup.refusals import Refused
from deploy.backup.sealed_files import SealingWriter
from deploy.backup.settings import Settings
from deploy.backup.wal_archive import COMPRESSION, HeldLog, open_file, seal_file
from deploy.backup.wal_names import Segment, read_lsn, segment_at

LOG_WITHIN_S = 300.0
DRAFT = ".draft-"


def take_full(settings: Settings) -> Backup:
    """Take a full backup. Refuses when PostgreSQL does, or when its log doesn't arrive in the archive."""
    return _take(settings, kind=FULL, parent=None)


def take_incremental(settings: Settings) -> Backup:
    """Take what has changed since the newest backup; a full one where there is none to build upon."""
    backups = read_backups(settings.directory)
    if not backups:
        return take_full(settings)
    chain_of(backups[-1], backups)
    return _take(settings, kind=INCREMENTAL, parent=backups[-1])


def _take(settings: Settings, *, kind: str, parent: Backup | None) -> Backup:
    started = datetime.now(UTC)
    backup_id = f"{started:%Y%m%dT%H%M%SZ}-{kind}"
    folder = base_folder(settings.directory) / f"{DRAFT}{backup_id}"
    for leftover in base_folder(settings.directory).glob(f"{DRAFT}*"):
        shutil.rmtree(leftover)
    folder.mkdir(parents=True)
    key_id, key = settings.sealing_key
    with tempfile.TemporaryDirectory(prefix="backup-manifest-") as private:
        manifest = Path(private) / MANIFEST_OF_POSTGRESQL
        command = [settings.program("pg_basebackup"), "--pgdata=-", "--format=tar", "--no-password"]
        command += ["--wal-method=none", "--checkpoint=fast", f"--label={backup_id}"]
        command.append(f"--manifest-checksums={CHECKSUMS}")
        if parent is not None:
            path = base_folder(settings.directory) / parent.id / MANIFEST
            manifest.write_bytes(open_file(path, name=f"{parent.id}/{MANIFEST}", keys=settings.keys))
            command.append(f"--incremental={manifest}")
        with (folder / CONTENT).open("wb") as file:
            sealing = SealingWriter(file, name=f"{backup_id}/{CONTENT}", key_id=key_id, key=key)
            written = _stream(command, sealing)
            file.flush()
            os.fsync(file.fileno())
        manifest.write_bytes(written)
        seal_file(manifest, folder / MANIFEST, name=f"{backup_id}/{MANIFEST}", settings=settings)
    listed = read_manifest(written, name=MANIFEST_OF_POSTGRESQL)
    _wait_for_log(settings, segment_at(read_lsn(listed.stop_lsn) - 1, timeline=listed.stop_timeline))
    backup = Backup(
        id=backup_id,
        kind=kind,
        parent=parent.id if parent else None,
        key_id=key_id,
        timeline=listed.timeline,
        start_lsn=listed.start_lsn,
        stop_lsn=listed.stop_lsn,
        started_at=started,
        finished_at=datetime.now(UTC),
        files=tuple(_stored(folder / name) for name in (CONTENT, MANIFEST)),
    )
    final = base_folder(settings.directory) / backup_id
    folder.rename(final)
    write_description(final, backup)
    return backup


def _stream(command: list[str], sealing: SealingWriter) -> bytes:
    """Seal what the command writes, a tar; return the manifest in it. Refuses when the command fails."""
    environment = {**os.environ, "PGAPPNAME": "open_wallet_backup"}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=environment) as process,
    ):
        manifest = b""
        with gzip.GzipFile(fileobj=sealing, mode="wb", compresslevel=COMPRESSION, mtime=0) as packing:
            if process.stdout is not None:
                passing = _Passing(process.stdout, packing.write)
                manifest = _manifest_in(passing)
        failed = process.wait() != 0
        said.seek(0)
        words = said.read().decode(errors="replace").strip().splitlines()
    if failed or not manifest:
        sealing.abandon()
        raise Refused(f"pg_basebackup failed: {words[-1] if words else 'it ended early'}")
    sealing.close()
    return manifest


class _Passing:
    """Reads a stream, and passes on what it has read."""

    def __init__(self, source: IO[bytes], target: Callable[[bytes], object]) -> None:
        self._source = source
        self._target = target

    def read(self, size: int = READ_BYTES) -> bytes:
        chunk = self._source.read(size)
        self._target(chunk)
        return chunk


def _manifest_in(stream: _Passing) -> bytes:
    """Read a tar to its end; return the manifest, which PostgreSQL puts last, so that a cut stream has none."""
    manifest = b""
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=READ_BYTES) as archive:  # type: ignore[call-overload]  # reading suffices
            for member in archive:
                if member.name == MANIFEST_OF_POSTGRESQL:
                    content = archive.extractfile(member)
                    manifest = content.read() if content else b""
    except tarfile.TarError:
        return b""
    while stream.read():
        pass
    return manifest


def _wait_for_log(settings: Settings, segment: Segment) -> None:
    """Wait until the archive has the segment that the backup ends in: without it nothing can be restored."""
    until = time.monotonic() + LOG_WITHIN_S
    while not HeldLog(settings, spool=None).holds(segment):
        if time.monotonic() > until:
            raise Refused(
                f"{segment.name} of the write-ahead log hasn't arrived within {LOG_WITHIN_S:.0f} s: does the "
                "receiver run? Without it this backup can't be restored, and isn't kept."
            )
        time.sleep(0.2)


def _stored(path: Path) -> StoredFile:
    return StoredFile(name=path.name, size_bytes=path.stat().st_size, sha256=digest_of(path))
