"""The folder with everything that survives a restart (`.data`): who holds it, what lies where, its secrets."""

import base64
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.local.refusals import CannotStart


class DataDirectory:
    """One folder of data, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.postgres = path / "postgres"
        self.valkey = path / "valkey"
        self.beat_schedule = path / "beat" / "schedule"
        self.metrics = path / "metrics"
        self.logs = path / "log"
        self.running = path / "running.json"
        self.stream_socket = path / "stream.socket"
        self._secrets = path / "secrets.json"
        self._lock_descriptor: int | None = None

    def hold(self) -> None:
        """Make the folder and claim it until this process ends; refuse when another process has it."""
        holder = self._try_to_hold()
        if holder is not None:
            raise CannotStart(
                f"Open Wallet already runs on {self.path} (process {holder}): stop it first, "
                "or name another folder with OPEN_WALLET_DATA."
            )

    def is_held_by_another(self) -> bool:
        """Return whether a running copy has the folder; claim it otherwise."""
        return self._try_to_hold() is not None

    def _try_to_hold(self) -> str | None:
        """Claim the folder; return the id of the process that has it already, if any."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            return holder or "unknown"
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock_descriptor = descriptor
        return None

    def make_folders(self) -> None:
        """Make the folders inside; metrics of an earlier run are dropped, as counters start from zero."""
        shutil.rmtree(self.metrics, ignore_errors=True)
        for folder in (self.valkey, self.beat_schedule.parent, self.metrics, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def clean(self) -> None:
        """Remove everything in the folder but the lock that this process holds."""
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()

    def secrets(self) -> dict[str, str]:
        """Return the secrets that were made once for this folder, making those that are missing."""
        kept: dict[str, str] = json.loads(self._secrets.read_text()) if self._secrets.exists() else {}
        made = {name: value for name, value in new_secrets().items() if name not in kept}
        if made:
            kept.update(made)
            write_private_json(self._secrets, kept)
        return kept


def new_secrets() -> dict[str, str]:
    """Return a fresh set of secrets: passwords of the embedded services, keys and the demo password."""
    return {
        "postgres_password": secrets.token_hex(24),
        "owner_password": secrets.token_hex(24),
        "application_password": secrets.token_hex(24),
        "valkey_password": secrets.token_hex(24),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "JWT_SIGNING_KEYS": _new_key("jwt"),
        "ENCRYPTION_KEYS": _new_key("enc"),
        "DEMO_PASSWORD": secrets.token_urlsafe(12),
    }


def _new_key(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def write_private_json(path: Path, content: Mapping[str, object]) -> None:
    """Write `content` to `path` in one step, readable by its owner alone."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
