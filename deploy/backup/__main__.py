"""`python -m deploy.backup full|incremental|receive|restore|prune|verify`: one sentence on what it did, or why not."""

import argparse
import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from deploy.backup.catalogue import Backup, base_folder
from deploy.backup.receiving import receive_until_told
from deploy.backup.refusals import Refused
from deploy.backup.restoring import restore
from deploy.backup.settings import Settings, read_settings
from deploy.backup.status import write_backup_status, write_verification_status
from deploy.backup.taking import take_full, take_incremental
from deploy.backup.upkeep import prune, verify
from deploy.backup.wal_archive import wal_folder


def main(arguments: Sequence[str]) -> int:
    """Do one of the commands; 0 when it is done, 1 when it is refused."""
    given = _read_arguments(arguments)
    started = time.monotonic()
    try:
        settings = read_settings(os.environ)
        said = COMMANDS[given.command](settings, given)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print(f"{said} ({time.monotonic() - started:.1f} s)")
    return 0


def _full(settings: Settings, given: argparse.Namespace) -> str:
    return _taken(settings, take_full)


def _incremental(settings: Settings, given: argparse.Namespace) -> str:
    return _taken(settings, take_incremental)


def _taken(settings: Settings, take: Callable[[Settings], Backup]) -> str:
    with _alone(settings):
        backup = take(settings)
        write_backup_status(settings)
    return f"{backup.id} is kept: {backup.size_bytes} bytes, sealed with {backup.key_id}."


def _receive(settings: Settings, given: argparse.Namespace) -> str:
    settings.spool.mkdir(parents=True, exist_ok=True)
    wal_folder(settings).mkdir(parents=True, exist_ok=True)
    receive_until_told(settings)
    return "The receiver has ended."


def _restore(settings: Settings, given: argparse.Namespace) -> str:
    restored = restore(settings, into=given.into, until=given.until, is_spool_lost=given.without_spool)
    chain = " + ".join(backup.id for backup in restored.chain)
    return (
        f"{restored.data} holds {chain} and recovers by {len(restored.segments)} files of the log up to "
        f"{restored.segments[-1].name} when PostgreSQL starts on it."
    )


def _prune(settings: Settings, given: argparse.Namespace) -> str:
    with _alone(settings):
        gone, files = prune(settings)
        write_backup_status(settings)
    return f"{len(gone)} backups and {files} files of the log are gone."


def _verify(settings: Settings, given: argparse.Namespace) -> str:
    with _alone(settings), tempfile.TemporaryDirectory(prefix="verify-", dir=given.work) as work:
        backups, files = verify(settings, work=Path(work) if given.combine else None)
        write_verification_status(settings)
    return f"{backups} backups and {files} files of the log are whole."


COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], str]] = {
    "full": _full,
    "incremental": _incremental,
    "receive": _receive,
    "restore": _restore,
    "prune": _prune,
    "verify": _verify,
}


def _read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in (
        ("full", "take a full backup"),
        ("incremental", "take what has changed since the newest backup"),
        ("receive", "receive the write-ahead log until told to stop"),
        ("prune", "remove what the retention doesn't need"),
    ):
        commands.add_parser(name, help=does)
    proving = commands.add_parser("verify", help="read everything that is kept and prove it")
    proving.add_argument("--combine", action="store_true", help="unpack the newest chain, too")
    proving.add_argument("--work", type=Path, help="where to unpack; it needs twice the database's size")
    restoring = commands.add_parser("restore", help="lay down a data directory")
    restoring.add_argument("--into", type=Path, required=True, help="an empty folder, or none yet")
    restoring.add_argument("--until", type=_moment, help="a moment with its zone: 2026-07-01T12:00:00+00:00")
    restoring.add_argument("--without-spool", action="store_true", help="the receiver's disk is lost as well")
    return parser.parse_args(arguments)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("expected a moment with its zone, such as 2026-07-01T12:00:00+00:00")
    return moment.astimezone(UTC)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Change the archive while nobody else does. Refuses while somebody else does."""
    base_folder(settings.directory).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Refused("Another backup, prune or verification is under way.") from None
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
