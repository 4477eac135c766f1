"""Monthly partitions: made ahead, missed when they aren't there, and archived when they are old."""

import csv
import gzip
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from events import archives, partitions, tasks
from events.archives import ArchiveDiffers, archive_old
from events.partitions import PARTITIONED, first_id_of, leaves_of, make_ahead, missing_ahead, month_of
from tests.factories.schema import fetched

# Long before anything that other tests write.
MONTHS = ("2001_01", "2001_02", "2001_03")
NOW = datetime(2001, 4, 15, tzinfo=UTC)


def as_owner_of_tables(statement: str, *parameters: object) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, parameters)


def rows_of(leaf: str) -> list[tuple]:
    """Read a partition itself, which the application can't."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"SELECT * FROM {leaf} ORDER BY id")
        return cursor.fetchall()


@pytest.fixture
def old_months(committed) -> Iterator[None]:
    """Three old months of every partitioned table, with rows of each kind in them."""
    for table, append_only in PARTITIONED.items():
        for month in MONTHS:
            day = f"{month.replace('_', '-')}-01"
            as_owner_of_tables("SELECT open_wallet_make_partition(%s, %s::date, %s)", table, day, append_only)
    for month in MONTHS:
        moment = datetime(2001, int(month[-2:]), 7, tzinfo=UTC)
        for place, reason in enumerate(("", 'a "quote", a comma\nand a line', "Ω €", "NULL", "\\N")):
            as_owner_of_tables(
                "INSERT INTO events_auditentry (id, at, actor, action, object_type, object_id, reason, before, after)"
                " VALUES (%s, %s, 'system', 'tried', 'thing', '1', %s, %s, NULL)",
                UUID(int=first_id_of(moment).int + place),
                moment,
                reason,
                '{"a": [1, null, "\\u00e9"]}' if place else None,
            )
        as_owner_of_tables(
            "INSERT INTO events_event (id, position, type, data, request_id, traceparent, created_at)"
            " VALUES (%s, 1, 'wallet.created', '{}', '', '', %s)",
            first_id_of(moment),
            moment,
        )
    yield
    for table in PARTITIONED:
        for month in MONTHS:
            as_owner_of_tables(f"DROP TABLE IF EXISTS {table}_{month}")


def archived_months(directory: Path, **kept: int) -> list[str]:
    with time_machine.travel(NOW, tick=False):
        return [one.leaf for one in archive_old(directory=directory, months_kept=kept)]


def test_when_months_are_old_then_they_are_archived_proved_and_dropped(old_months, tmp_path):
    held = rows_of("events_auditentry_2001_01")

    with time_machine.travel(NOW, tick=False):
        done = list(archive_old(directory=tmp_path, months_kept={"events_auditentry": 2}))

    assert [(one.leaf, one.rows) for one in done] == [("events_auditentry_2001_01", 5)]
    assert leaves_of("events_auditentry")[:2] == ["2001_02", "2001_03"]
    assert fetched("SELECT to_regclass('events_auditentry_2001_01')::text") == [(None,)]
    (file,) = tmp_path.glob("*.csv.gz")
    assert file.name == "events_auditentry_2001_01.csv.gz"
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (file.parent / f"{file.name}.sha256").read_text() == f"{checksum}  {file.name}\n"
    assert done[0].sha256 == checksum
    rows = list(csv.DictReader(StringIO(gzip.decompress(file.read_bytes()).decode(), newline="")))
    assert [row["id"] for row in rows] == [str(row[0]) for row in held]
    assert [row["reason"] for row in rows] == [row[8] for row in held]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".gz", ".sha256"]


def test_when_a_table_keeps_everything_then_nothing_of_it_is_archived(old_months, tmp_path):
    assert archived_months(tmp_path, events_auditentry=0, events_event=0) == []
    assert leaves_of("events_auditentry")[:3] == list(MONTHS)


@pytest.mark.parametrize(("months", "gone"), [(1, 3), (2, 2), (3, 1), (4, 0)])
def test_when_whole_months_are_kept_then_this_month_and_those_before_it_stay(
    old_months, tmp_path, months, gone
):
    # Mid-April keeps April itself and as many months before it.
    with time_machine.travel(datetime(2001, 5, 15, tzinfo=UTC), tick=False):
        done = list(archive_old(directory=tmp_path, months_kept={"events_event": months}))

    assert [one.leaf for one in done] == [f"events_event_{month}" for month in MONTHS[:gone]]


def test_when_the_file_is_not_what_the_table_held_then_nothing_is_dropped(old_months, tmp_path, monkeypatch):
    unload = archives._unload

    def forget_a_row(cursor, leaf, packed):
        cursor.execute(f"ALTER TABLE {leaf} DISABLE TRIGGER USER")
        cursor.execute(f"DELETE FROM {leaf} WHERE reason = 'NULL'")
        unload(cursor, leaf, packed)
        transaction.set_rollback(True, using="owner")

    monkeypatch.setattr(archives, "_unload", forget_a_row)

    with pytest.raises(
        ArchiveDiffers, match="loads 4 rows that aren't the 5 rows of events_auditentry_2001_01"
    ):
        archived_months(tmp_path, events_auditentry=2)
    monkeypatch.undo()

    assert len(rows_of("events_auditentry_2001_01")) == 5
    assert list(tmp_path.glob("*.gz")) == []
    # It was detached, and is found again by its name.
    assert archived_months(tmp_path, events_auditentry=2) == ["events_auditentry_2001_01"]


def test_when_a_value_differs_then_nothing_is_dropped(old_months, tmp_path, monkeypatch):
    unload = archives._unload

    def change_a_value(cursor, leaf, packed):
        cursor.execute(f"ALTER TABLE {leaf} DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE {leaf} SET reason = '' WHERE reason = 'NULL'")
        unload(cursor, leaf, packed)
        transaction.set_rollback(True, using="owner")

    monkeypatch.setattr(archives, "_unload", change_a_value)

    with pytest.raises(ArchiveDiffers):
        archived_months(tmp_path, events_auditentry=2)

    assert len(rows_of("events_auditentry_2001_01")) == 5


def test_when_the_archive_is_killed_after_detaching_then_the_next_run_goes_on(old_months, tmp_path):
    as_owner_of_tables("ALTER TABLE events_event DETACH PARTITION events_event_2001_01")

    assert archived_months(tmp_path, events_event=2) == ["events_event_2001_01"]


def test_when_somebody_uses_the_table_then_the_archive_gives_up_and_loses_nothing(old_months, tmp_path):
    with transaction.atomic():
        fetched("SELECT count(*) FROM events_event")

        with pytest.raises(DatabaseError, match="lock timeout"):
            archived_months(tmp_path, events_event=2)

    assert leaves_of("events_event")[0] == "2001_01"


def test_when_the_command_is_told_months_then_every_table_keeps_as_many(old_months, tmp_path):
    told = StringIO()

    with time_machine.travel(NOW, tick=False):
        call_command("archive_partitions", older_than_months=2, to=tmp_path, stdout=told)

    lines = told.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [f"{table}_2001_01" for table in PARTITIONED]
    assert lines[-1] == "4 partitions were archived."


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({}, "Say where the files go: --to DIRECTORY, or ARCHIVE_DIRECTORY."),
        ({"to": Path("/nowhere"), "older_than_months": 0}, "At least one whole month is kept."),
    ],
)
def test_when_the_command_can_not_know_what_to_do_then_it_says_so(db, options, refusal):
    with pytest.raises(CommandError, match=re.escape(refusal)):
        call_command("archive_partitions", **options)


def test_when_no_directory_is_set_then_the_task_archives_nothing(old_months, settings):
    settings.ARCHIVE_DIRECTORY = ""

    tasks.archive_partitions()

    assert leaves_of("events_event")[0] == "2001_01"


def test_when_a_directory_is_set_then_the_task_keeps_what_the_settings_say(old_months, settings, tmp_path):
    settings.ARCHIVE_DIRECTORY = str(tmp_path)
    settings.RETENTION_MONTHS = {"events_event": 2, "events_apicall": 0}

    with time_machine.travel(NOW, tick=False):
        tasks.archive_partitions()

    assert sorted(path.name for path in tmp_path.glob("*.gz")) == ["events_event_2001_01.csv.gz"]


def test_when_the_months_ahead_are_made_then_none_is_missing(committed):
    assert missing_ahead() == []
    assert make_ahead() == []


def test_when_time_has_passed_without_the_task_then_what_is_missing_is_named(committed):
    with time_machine.travel(datetime(2040, 11, 30, tzinfo=UTC), tick=False):
        missing = missing_ahead(months=2)

    assert missing == [
        f"{table}_{month}" for table in PARTITIONED for month in ("2040_11", "2040_12", "2041_01")
    ]


def test_when_a_partition_is_gone_then_it_is_made_again_with_its_guard(committed):
    furthest = leaves_of("events_event")[-1]
    as_owner_of_tables(f"DROP TABLE events_event_{furthest}")
    months = len([month for month in leaves_of("events_event") if month >= f"{datetime.now(UTC):%Y_%m}"])

    made = make_ahead(months=months)

    assert f"events_event_{furthest}" in made
    triggers = fetched(
        "SELECT tgname::text FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'refuse_truncate'",
        f"events_event_{furthest}",
    )
    assert triggers == [("refuse_truncate",)]


def test_when_a_month_is_read_off_an_id_then_it_is_that_of_its_partition(db):
    for moment in (
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 10, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    ):
        assert month_of(first_id_of(moment)) == "2026_10"
    with connection.cursor() as cursor:
        cursor.execute("SELECT open_wallet_first_id_of('2026-10-31 12:00:00.123Z')")
        assert cursor.fetchone() == (first_id_of(datetime(2026, 10, 31, 12, 0, 0, 123_000, tzinfo=UTC)),)


def test_when_the_tables_are_listed_then_every_partitioned_one_is_looked_after(db):
    found = fetched("SELECT relname::text FROM pg_class WHERE relkind = 'p' ORDER BY relname")

    assert {name for (name,) in found} == set(partitions.PARTITIONED)


# An application server makes the ids, by its clock; the database makes the partitions, by its own.
@pytest.mark.parametrize("table", PARTITIONED)
@pytest.mark.parametrize(
    "apart", [timedelta(0), timedelta(milliseconds=-1), timedelta(hours=-1), timedelta(hours=1)]
)
def test_when_the_clocks_of_two_servers_disagree_at_a_month_s_end_then_each_row_has_its_own_month(
    db, table, apart
):
    this_month = fetched("SELECT date_trunc('month', now(), 'UTC')")[0][0]
    next_month = fetched("SELECT date_trunc('month', now(), 'UTC') + interval '1 month'")[0][0]
    moments = [this_month + apart, next_month + apart]

    found = []
    for moment in moments:
        key = UUID(int=first_id_of(moment).int + 0x7ABC)
        (bounds,) = fetched(
            "SELECT c.relname::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid,"
            " regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \\('(.+)'\\) TO \\('(.+)'\\)$$) AS ends"
            " WHERE i.inhparent = %s::regclass AND ends[1]::uuid <= %s AND %s < ends[2]::uuid",
            table,
            key,
            key,
        )
        found.append(bounds[0])

    assert found == [f"{table}_{moment:%Y_%m}" for moment in moments]


def test_when_a_server_is_a_month_ahead_of_the_database_then_nothing_is_missing_there_yet(committed):
    with time_machine.travel(datetime.now(UTC) + timedelta(days=31), tick=False):
        assert missing_ahead() == []
