"""The folder of data: one holder, private secrets, emptied on demand."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.data_directory import DataDirectory

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from deploy.local.data_directory import DataDirectory
data = DataDirectory(Path(sys.argv[1]))
data.hold()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the folder `data`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "data")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"

        yield process

        process.kill()


@pytest.mark.parametrize("command", ["run", "clean-data"])
def test_when_another_process_has_the_data_then_a_second_is_refused(
    holder: "subprocess.Popen[str]", tmp_path: Path, command: str
) -> None:
    data = tmp_path / "data"
    environment = {**os.environ, "OPEN_WALLET_DATA": str(data), "OPEN_WALLET_MODE": "sandbox"}

    second = subprocess.run(
        [sys.executable, "-m", "deploy.local", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert second.returncode == 1
    assert second.stdout == (
        f"Open Wallet already runs on {data} (process {holder.pid}): stop it first, "
        "or name another folder with OPEN_WALLET_DATA.\n"
    )
    assert second.stderr == ""
    assert [entry.name for entry in data.iterdir()] == ["lock"]


def test_when_the_holder_is_killed_then_the_data_is_free(
    holder: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    holder.kill()
    holder.wait()

    assert not DataDirectory(tmp_path / "data").is_held_by_another()


def test_when_secrets_are_made_then_only_their_owner_reads_them_and_they_stay(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    data.hold()

    first = data.secrets()
    second = DataDirectory(tmp_path / "data").secrets()

    assert first == second == json.loads((tmp_path / "data" / "secrets.json").read_text())
    assert (tmp_path / "data" / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert len(set(first.values())) == len(first) == 8


def test_when_a_later_version_needs_one_more_secret_then_the_others_stay(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    before = data.secrets()
    known = {name: value for name, value in before.items() if name != "DEMO_PASSWORD"}
    (tmp_path / "secrets.json").write_text(json.dumps(known))

    after = data.secrets()

    assert {name: value for name, value in after.items() if name != "DEMO_PASSWORD"} == known
    assert after["DEMO_PASSWORD"] != before["DEMO_PASSWORD"]


def test_when_cleaned_then_nothing_but_the_lock_is_left(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    data.hold()
    data.secrets()
    data.make_folders()
    (data.valkey / "dump.rdb").write_text("rows")

    data.clean()

    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["lock"]


def test_when_started_again_then_metrics_begin_afresh(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.make_folders()
    (data.metrics / "counter_1.db").write_text("old")

    data.make_folders()

    assert list(data.metrics.iterdir()) == []
