"""One real server, small: backed up, killed under writers, its volume lost, restored. `make drill-restore` is the long form."""

import base64
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.drills.databases import Archive, Server


def new_keys() -> str:
    return f"one:{base64.b64encode(secrets.token_bytes(32)).decode()}"


class Written:
    """Rows that were acknowledged, numbered."""

    def __init__(self, server: Server) -> None:
        self.acknowledged: list[int] = []
        self._server = server

    def write(self, numbers: Iterator[int]) -> None:
        """Write until the server is gone."""
        with suppress(psycopg.OperationalError):
            for number in numbers:
                self._server.ask(f"INSERT INTO kept VALUES ({number})")
                self.acknowledged.append(number)


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, list[int]]:
    """An archive whose server was killed while it was written to, with what had been acknowledged."""
    folder = tmp_path_factory.mktemp("round-trip")
    server = Server(folder)
    archive = Archive(folder / "kept", keys=new_keys(), server=server)
    server.make()
    server.start()
    try:
        archive.start_receiver()
        server.demand("FIRST 1 (open_wallet_wal)")
        server.ask("CREATE TABLE kept (number bigint PRIMARY KEY)")
        archive.do("full")
        written = Written(server)
        written.write(iter(range(30)))
        archive.do("incremental" if server.has_incremental_backups else "full")
        writer = threading.Thread(target=written.write, args=(iter(range(30, 1_000_000)),))
        writer.start()
        while len(written.acknowledged) < 60:
            threading.Event().wait(0.01)
        server.kill()
        writer.join()
    finally:
        server.kill()
        archive.kill_receiver()
    server.lose_volume()
    return archive, written.acknowledged


def copied(archive: Archive, folder: Path) -> Archive:
    """The same archive, to be damaged."""
    folder.mkdir()
    shutil.copytree(archive.folder, folder, dirs_exist_ok=True)
    return Archive(folder, keys=archive.keys, server=archive.server)


def test_when_server_and_volume_are_lost_then_every_acknowledged_row_is_restored(
    lost: tuple[Archive, list[int]],
) -> None:
    archive, acknowledged = lost
    restored = Server(archive.folder.parent, name="restored", made_from=archive.server)

    archive.do("restore", "--into", str(restored.data))
    restored.start()
    try:
        restored.wait_until_recovered()
        rows = {number for (number,) in restored.ask("SELECT number FROM kept")}
    finally:
        restored.kill()

    assert set(acknowledged) - rows == set()
    # One row at the most was under way.
    assert len(rows - set(acknowledged)) <= 1


def test_when_all_is_read_again_then_it_is_whole_and_the_figures_say_so(
    lost: tuple[Archive, list[int]],
) -> None:
    archive, _ = lost

    said = archive.do("verify")

    assert said.startswith("2 backups and ")
    figures = "".join(path.read_text() for path in (archive.directory / "status").glob("*.prom"))
    assert 'open_wallet_backup_last_success_timestamp_seconds{kind="full"}' in figures
    assert "open_wallet_backup_verified_timestamp_seconds" in figures


def test_when_nothing_is_old_then_prune_removes_nothing(lost: tuple[Archive, list[int]]) -> None:
    archive, _ = lost

    assert archive.do("prune").startswith("0 backups")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("flipped byte in a backup", "its size or digest differs"),
        ("flipped byte in the log", "can't be believed from its chunk"),
        ("missing log", "is missing"),
        ("missing backup", "base.tar.gz.sealed is missing"),
        ("wrong key", "is another one now"),
        ("lost key", "which BACKUP_KEYS doesn't have"),
    ],
)
def test_when_something_is_lost_or_changed_then_nothing_is_restored(
    lost: tuple[Archive, list[int]], tmp_path: Path, damage: str, said: str
) -> None:
    archive = copied(lost[0], tmp_path / "damaged")
    log = sorted((archive.directory / "wal").glob("*.sealed"))
    full = sorted(archive.directory.glob("base/*-full"))[-1]
    if damage == "flipped byte in a backup":
        flip(full / "base.tar.gz.sealed")
    elif damage == "flipped byte in the log":
        flip(log[-1])
    elif damage == "missing log":
        log[-1].unlink()
    elif damage == "missing backup":
        (full / "base.tar.gz.sealed").unlink()
    elif damage == "wrong key":
        archive.keys = new_keys()
    else:
        archive.keys = new_keys().replace("one:", "two:")

    refused = archive.run("restore", "--into", str(tmp_path / "restored"))

    assert refused.returncode == 1
    assert said in refused.stderr
    assert not (tmp_path / "restored").exists()


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
