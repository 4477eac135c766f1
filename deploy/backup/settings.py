"""What backups are told by the environment; how PostgreSQL is reached stands in libpq's own variables (PGHOST, …)."""

import base64
import binascii
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from deploy.backup.refusals import Refused
from deploy.backup.sealed_files import KEY_BYTES

RETENTION_DAYS = "30"
SLOT = "open_wallet_wal"
KEY_RING_FORM = "id:base64,id:base64 with 32 bytes in each base64 and each id of 1 to 32 letters and digits"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where things are, and the keys: the first one seals, all of them open."""

    directory: Path
    spool: Path
    status: Path
    keys: Mapping[str, bytes] = field(repr=False)
    retention: timedelta
    slot: str
    programs: Path | None
    metrics_port: int

    @property
    def sealing_key(self) -> tuple[str, bytes]:
        """The id and the key that new files are sealed with."""
        return next(iter(self.keys.items()))

    def program(self, name: str) -> str:
        """Return the path of one of PostgreSQL's programs. Refuses where it isn't installed."""
        path = shutil.which(name, path=str(self.programs) if self.programs else None)
        if path is None:
            raise Refused(
                f"{name} isn't here: name the folder of PostgreSQL's programs with BACKUP_PROGRAMS."
            )
        return path


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the variables that docs/recovery.md lists. Refuses, naming the variable, what is missing or unfit."""
    missing = [name for name in ("BACKUP_DIRECTORY", "BACKUP_SPOOL") if not environment.get(name)]
    if missing:
        raise Refused(f"{' and '.join(missing)} must be set: docs/recovery.md says to what.")
    directory = Path(environment["BACKUP_DIRECTORY"])
    days, port = (
        environment.get(name) or default
        for name, default in (("BACKUP_RETENTION_DAYS", RETENTION_DAYS), ("BACKUP_METRICS_PORT", "0"))
    )
    if not days.isdecimal() or int(days) < 1 or not port.isdecimal():
        raise Refused(
            "BACKUP_RETENTION_DAYS and BACKUP_METRICS_PORT must be whole numbers, the first above 0."
        )
    return Settings(
        directory=directory,
        spool=Path(environment["BACKUP_SPOOL"]),
        status=Path(environment.get("BACKUP_STATUS_DIRECTORY") or directory / "status"),
        keys=_read_keys(environment),
        retention=timedelta(days=int(days)),
        slot=environment.get("BACKUP_SLOT") or SLOT,
        programs=Path(environment["BACKUP_PROGRAMS"]) if environment.get("BACKUP_PROGRAMS") else None,
        metrics_port=int(port),
    )


def _read_keys(environment: Mapping[str, str]) -> dict[str, bytes]:
    text = environment.get("BACKUP_KEYS") or ""
    if environment.get("BACKUP_KEYS_FILE"):
        try:
            text = Path(environment["BACKUP_KEYS_FILE"]).read_text()
        except OSError as error:
            raise Refused(f"BACKUP_KEYS_FILE can't be read: {error.strerror}.") from error
    keys: dict[str, bytes] = {}
    for part in text.strip().split(","):
        key_id, _, encoded = part.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES or key_id in keys or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id):
            raise Refused(f"BACKUP_KEYS or BACKUP_KEYS_FILE can't be used: expected {KEY_RING_FORM}.")
        keys[key_id] = key
    return keys
