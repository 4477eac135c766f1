"""Which backups may go, and which segments of the log a recovery needs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.backup.catalogue import (
    FULL,
    INCREMENTAL,
    Backup,
    base_folder,
    chain_of,
    kept_backups,
    read_backups,
    remove_backups,
    write_description,
)
from deploy.backup.refusals import Refused
from deploy.backup.settings import read_settings
from deploy.backup.wal_names import Segment, needed_segments, read_history, read_lsn, read_segment

NOW = datetime(2026, 7, 31, 12, tzinfo=UTC)
MONTH = timedelta(days=30)


def backup(name: str, *, age_days: float, parent: str | None = None) -> Backup:
    finished = NOW - timedelta(days=age_days)
    return Backup(
        id=name,
        kind=INCREMENTAL if parent else FULL,
        parent=parent,
        key_id="one",
        timeline=1,
        start_lsn="0/2000028",
        stop_lsn="0/2000120",
        started_at=finished,
        finished_at=finished,
        files=(),
    )


def test_when_a_young_incremental_builds_upon_an_old_full_then_the_whole_chain_stays() -> None:
    old = backup("full", age_days=40)
    between = backup("first", age_days=35, parent="full")
    young = backup("second", age_days=3, parent="first")

    assert kept_backups([old, between, young], now=NOW, retention=MONTH) == [old, between, young]


def test_when_backups_are_older_than_the_retention_then_all_but_what_its_first_second_needs_go() -> None:
    oldest = backup("oldest", age_days=50)
    of_oldest = backup("of oldest", age_days=49, parent="oldest")
    before = backup("before", age_days=32)
    of_before = backup("of before", age_days=31, parent="before")
    young = backup("young", age_days=1)

    kept = kept_backups([oldest, of_oldest, before, of_before, young], now=NOW, retention=MONTH)

    assert kept == [before, of_before, young]


def test_when_the_newest_backup_is_too_old_then_it_stays_all_the_same() -> None:
    full = backup("full", age_days=90)
    newest = backup("newest", age_days=80, parent="full")

    assert kept_backups([full, newest], now=NOW, retention=MONTH) == [full, newest]


def test_when_there_is_no_backup_then_none_is_kept() -> None:
    assert kept_backups([], now=NOW, retention=MONTH) == []


def test_when_a_parent_is_gone_then_the_chain_is_refused() -> None:
    lonely = backup("lonely", age_days=1, parent="full")

    with pytest.raises(Refused, match="lonely builds upon full, which isn't there"):
        chain_of(lonely, [lonely])


def test_when_backups_are_removed_then_the_others_are_read_as_they_were(tmp_path: Path) -> None:
    backups = [
        backup(f"2026070{day}T000000Z-full", age_days=31 - day, parent=None if day == 1 else parent)
        for day, parent in ((1, ""), (2, "20260701T000000Z-full"), (3, "20260702T000000Z-full"))
    ]
    for each in backups:
        (base_folder(tmp_path) / each.id).mkdir(parents=True)
        write_description(base_folder(tmp_path) / each.id, each)

    remove_backups(tmp_path, backups[1:])

    assert read_backups(tmp_path) == backups[:1]
    assert [path.name for path in base_folder(tmp_path).iterdir()] == [backups[0].id]


def test_when_a_description_is_damaged_then_it_is_refused_rather_than_passed_over(tmp_path: Path) -> None:
    folder = base_folder(tmp_path) / "20260701T000000Z-full"
    folder.mkdir(parents=True)
    (folder / "backup.json").write_text('{"format": 1')

    with pytest.raises(Refused, match="can't be read as a backup's description"):
        read_backups(tmp_path)


def on(timeline: int, *numbers: int) -> set[Segment]:
    return {Segment(number=number, timeline=timeline) for number in numbers}


def test_when_positions_and_names_are_read_then_they_are_postgresqls() -> None:
    assert read_lsn("16/B374D848") == 0x16B374D848
    assert read_segment("000000020000001600000005") == Segment(number=0x16 * 256 + 5, timeline=2)
    assert Segment(number=0x16 * 256 + 5, timeline=2).name == "000000020000001600000005"


def test_when_the_log_is_whole_then_it_is_needed_from_the_backups_start_on() -> None:
    needed = needed_segments(start_lsn=3 << 24, timeline=1, held=on(1, 1, 2, 3, 4, 5), histories={})

    assert [segment.number for segment in needed] == [3, 4, 5]


def test_when_a_segment_in_between_is_missing_then_the_recovery_is_refused() -> None:
    with pytest.raises(Refused, match=r"000000010000000000000004 .*is missing"):
        needed_segments(start_lsn=3 << 24, timeline=1, held=on(1, 3, 5), histories={})


def test_when_the_log_ends_before_the_backup_starts_then_the_recovery_is_refused() -> None:
    with pytest.raises(Refused, match="doesn't reach the start"):
        needed_segments(start_lsn=3 << 24, timeline=1, held=on(1, 1, 2), histories={})


def test_when_a_standby_was_promoted_then_the_new_timeline_is_followed_from_there() -> None:
    histories = {2: read_history("1\t0/5000100\tno recovery target specified\n")}
    held = on(1, 3, 4, 5, 6, 7) | on(2, 5, 6)

    needed = needed_segments(start_lsn=3 << 24, timeline=1, held=held, histories=histories)

    assert needed == sorted(on(1, 3, 4) | on(2, 5, 6))


def test_when_the_new_timelines_first_segment_is_missing_then_the_old_one_doesnt_stand_in() -> None:
    histories = {2: read_history("1\t0/5000100\tno recovery target specified\n")}

    with pytest.raises(Refused, match=r"000000020000000000000005 .*is missing"):
        needed_segments(start_lsn=3 << 24, timeline=1, held=on(1, 3, 4, 5) | on(2, 6), histories=histories)


def test_when_another_timeline_doesnt_descend_from_the_backups_then_it_is_left_alone() -> None:
    histories = {3: read_history("2\t0/1000100\tbefore the backup\n")}

    needed = needed_segments(
        start_lsn=3 << 24, timeline=1, held=on(1, 3, 4) | on(3, 3, 4, 5), histories=histories
    )

    assert needed == sorted(on(1, 3, 4))


GOOD = {
    "BACKUP_DIRECTORY": "/backups",
    "BACKUP_SPOOL": "/spool",
    "BACKUP_KEYS": "new:" + "A" * 43 + "=,old:" + "B" * 43 + "=",
}


def test_when_settings_are_read_then_the_first_key_seals_and_all_open() -> None:
    settings = read_settings(GOOD)

    assert settings.sealing_key == ("new", bytes(32))
    assert list(settings.keys) == ["new", "old"]
    assert settings.retention == MONTH
    assert "AAAA" not in repr(settings)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"BACKUP_DIRECTORY": ""}, "BACKUP_DIRECTORY"),
        ({"BACKUP_KEYS": ""}, "BACKUP_KEYS"),
        ({"BACKUP_KEYS": "one:c2hvcnQ="}, "BACKUP_KEYS"),
        ({"BACKUP_KEYS": GOOD["BACKUP_KEYS"] + ",new:" + "C" * 43 + "="}, "BACKUP_KEYS"),
        ({"BACKUP_KEYS_FILE": "/is/not/there"}, "BACKUP_KEYS_FILE"),
        ({"BACKUP_RETENTION_DAYS": "0"}, "BACKUP_RETENTION_DAYS"),
    ],
)
def test_when_a_setting_is_missing_or_unfit_then_it_is_named(changed: dict[str, str], named: str) -> None:
    with pytest.raises(Refused, match=named):
        read_settings({**GOOD, **changed})
