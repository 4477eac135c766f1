"""Which pgBouncer the drill takes, and what it says where there is none."""

from pathlib import Path

import pytest

from deploy.local import pgbouncer
from deploy.local.data_directory import DataDirectory
from deploy.local.refusals import CannotStart


def program(path: Path, version: str) -> Path:
    path.write_text(f'#!/bin/sh\necho "PgBouncer {version}"\n')
    path.chmod(0o755)
    return path


def test_when_one_is_named_then_it_is_taken(tmp_path: Path) -> None:
    named = program(tmp_path / "mine", "1.24.1")

    command = pgbouncer.find_pgbouncer(
        unpacked=tmp_path / "none", environment={"PGBOUNCER": str(named), "PATH": ""}
    )

    assert command == [str(named)]


def test_when_path_s_is_too_old_then_the_unpacked_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "pgbouncer", "1.18.0")
    (tmp_path / "root").mkdir()
    monkeypatch.setattr(
        pgbouncer,
        "_inside",
        lambda root: [str(program(tmp_path / "newer", "1.21.0"))] if root.is_dir() else [],
    )

    command = pgbouncer.find_pgbouncer(unpacked=tmp_path / "root", environment={"PATH": str(tmp_path)})

    assert command == [str(tmp_path / "newer")]


def test_when_there_is_none_and_nobody_may_fetch_one_then_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgbouncer.os, "geteuid", lambda: 1_000)
    monkeypatch.setattr(pgbouncer.shutil, "which", lambda name, path=None: None)

    with pytest.raises(CannotStart, match=r"pgBouncer 1\.21 or newer"):
        pgbouncer.find_pgbouncer(unpacked=tmp_path / "none", environment={"PATH": ""})


def test_when_it_is_configured_then_no_password_stands_on_its_command_line_and_others_can_t_read_it(
    tmp_path: Path,
) -> None:
    data = DataDirectory(tmp_path)
    pooler = pgbouncer.Pooler(
        command=["pgbouncer"], data=data, server_url="postgres://app:s3cret@127.0.0.1:5432/wallet"
    )

    started = pooler.program()

    assert pooler.url() == f"postgres://app:s3cret@127.0.0.1:{pooler.port}/wallet"
    assert not any("s3cret" in word for word in started.command)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "pgbouncer").iterdir()} == {
        "pgbouncer.ini": "0o600",
        "users.txt": "0o600",
    }
