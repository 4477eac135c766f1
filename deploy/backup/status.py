"""The figures of backups, as Prometheus reads them: files for a node exporter's textfile collector."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from deploy.backup.catalogue import FULL, INCREMENTAL, Backup, read_backups
from deploy.backup.settings import Settings
from deploy.backup.wal_archive import PARTIAL

Sample = tuple[str, float]


def write_backup_status(settings: Settings) -> None:
    """Say how old and how large the newest backups are."""
    backups = read_backups(settings.directory)
    newest = {backup.kind: backup for backup in backups}
    if not newest:
        return
    succeeded, took, size, kept = [], [], [], []
    for kind in (FULL, INCREMENTAL):
        label = f'{{kind="{kind}"}}'
        kept.append((label, float(sum(backup.kind == kind for backup in backups))))
        if kind in newest:
            backup = newest[kind]
            succeeded.append((label, backup.finished_at.timestamp()))
            took.append((label, (backup.finished_at - backup.started_at).total_seconds()))
            size.append((label, float(backup.size_bytes)))
    _write(
        settings,
        "backups",
        [
            ("open_wallet_backup_last_success_timestamp_seconds", "When the newest backup was done.", succeeded),
            ("open_wallet_backup_duration_seconds", "How long the newest backup took.", took),
            ("open_wallet_backup_size_bytes", "How large the newest backup is, sealed.", size),
            ("open_wallet_backups_kept", "How many backups there are.", kept),
            ("open_wallet_backup_restorable_from_timestamp_seconds", "The earliest moment that can be restored.",
             [("", _earliest(backups).finished_at.timestamp())]),
        ],
    )  # fmt: skip


def write_verification_status(settings: Settings) -> None:
    """Say that everything was read and proved just now."""
    now = datetime.now(UTC).timestamp()
    _write(
        settings,
        "verification",
        [("open_wallet_backup_verified_timestamp_seconds", "When all that is kept was proved.", [("", now)])],
    )


def write_log_status(settings: Settings) -> None:
    """Say when the receiver looked last, when it last heard something, and what waits in its spool."""
    paths = list(settings.spool.iterdir())
    heard = max((path.stat().st_mtime for path in paths), default=0.0)
    waiting = sum(path.suffix != PARTIAL for path in paths)
    now = datetime.now(UTC).timestamp()
    _write(
        settings,
        "log",
        [
            ("open_wallet_wal_receiver_seen_timestamp_seconds", "When the receiver last ran.", [("", now)]),
            ("open_wallet_wal_received_timestamp_seconds", "When log was last received.", [("", heard)]),
            ("open_wallet_wal_unsealed_files", "Finished files not yet in the archive.", [("", float(waiting))]),
        ],
    )  # fmt: skip


def _earliest(backups: Sequence[Backup]) -> Backup:
    return min(backups, key=lambda backup: backup.finished_at)


def _write(settings: Settings, name: str, metrics: Sequence[tuple[str, str, Sequence[Sample]]]) -> None:
    lines = []
    for metric, means, samples in metrics:
        lines += [f"# HELP {metric} {means}", f"# TYPE {metric} gauge"]
        lines += [f"{metric}{labels} {value:.3f}" for labels, value in samples]
    settings.status.mkdir(parents=True, exist_ok=True)
    draft = settings.status / f".{name}.{os.getpid()}"
    draft.write_text("\n".join([*lines, ""]))
    draft.replace(settings.status / f"{name}.prom")
