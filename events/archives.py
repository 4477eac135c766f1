"""Old months leave the database: detached, written to a file, proved by loading that file back, then dropped.

Each step can be repeated: a month that was detached and not dropped yet is found again by its name.
"""

import gzip
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from django.db import connections, transaction
from psycopg import sql

from events import audit
from events.partitions import PARTITIONED, leaves_of

_CHUNK_BYTES = 1 << 20

_log = structlog.get_logger()


class ArchiveDiffers(RuntimeError):
    """What the file holds isn't what the table held: nothing was dropped."""


@dataclass(frozen=True, slots=True)
class Archived:
    """One month that has left the database; `sha256` is that of the compressed file."""

    leaf: str
    path: Path
    rows: int
    sha256: str


def archive_old(*, directory: Path, months_kept: Mapping[str, int]) -> Iterator[Archived]:
    """Archive the months of each table that are older than `months_kept` whole months; 0 keeps all of them.

    Files are `<table>_<year>_<month>.csv.gz` with a `.sha256` beside it. Raises ArchiveDiffers, and drops nothing,
    when a file loaded back isn't what the table holds.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for table, months in months_kept.items():
        if not months:
            continue
        for leaf in _leaves_to_archive(table, older_than=_month_before(months)):
            yield _archive(table, leaf, directory)


def _month_before(months: int) -> str:
    today = datetime.now(UTC)
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return f"{year}_{month + 1:02}"


def _leaves_to_archive(table: str, *, older_than: str) -> list[str]:
    if table not in PARTITIONED:
        raise ValueError(f"{table} isn't partitioned")
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relname ~ %s",
            [rf"^{table}_\d{{4}}_\d{{2}}$"],
        )
        months = sorted(re.sub(rf"^{table}_", "", name) for (name,) in cursor.fetchall())
    return [f"{table}_{month}" for month in months if month < older_than]


def _archive(table: str, leaf: str, directory: Path) -> Archived:
    if leaf.removeprefix(f"{table}_") in leaves_of(table):
        with _owner() as cursor:
            cursor.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(*_names(table, leaf)))
    path = directory / f"{leaf}.csv.gz"
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file, _owner() as cursor:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            _unload(cursor, leaf, packed)
        file.flush()
        os.fsync(file.fileno())
    sha256 = _sha256_of(unfinished)
    with _owner() as cursor:
        rows = _load_and_compare(cursor, leaf, unfinished)
        unfinished.replace(path)
        path.with_suffix(".gz.sha256").write_text(f"{sha256}  {path.name}\n")
        if _sha256_of(path) != sha256:
            raise ArchiveDiffers(f"{path} isn't what was written")
        cursor.execute(sql.SQL("DROP TABLE {}").format(*_names(leaf)))
    audit.record(
        actor="system",
        action="partition.archived",
        object_type="partition",
        object_id=leaf,
        after={"file": path.name, "rows": rows, "sha256": sha256},
    )
    _log.info("partition_archived", partition=leaf, file=path.name, rows=rows, sha256=sha256)
    return Archived(leaf=leaf, path=path, rows=rows, sha256=sha256)


@contextmanager
def _owner() -> Iterator[Any]:
    """Work as the owner in one transaction, as long as it takes, and give up early where a lock can't be had."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        yield cursor


def _names(*tables: str) -> list[sql.Identifier]:
    return [sql.Identifier(table) for table in tables]


def _unload(cursor: Any, leaf: str, packed: gzip.GzipFile) -> None:
    statement = sql.SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)")
    with cursor.copy(statement.format(*_names(leaf))) as copy:
        for data in copy:
            packed.write(bytes(data))


def _load_and_compare(cursor: Any, leaf: str, path: Path) -> int:
    loaded = "loaded_back"
    cursor.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(*_names(loaded, leaf))
    )
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER MATCH)").format(*_names(loaded))
    with gzip.open(path, "rb") as packed, cursor.copy(statement) as copy:
        while data := packed.read(_CHUNK_BYTES):
            copy.write(data)
    cursor.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM {leaf}), (SELECT count(*) FROM {loaded}),"
            " EXISTS (TABLE {leaf} EXCEPT TABLE {loaded})"
        ).format(leaf=sql.Identifier(leaf), loaded=sql.Identifier(loaded))
    )
    held, read, differs = cursor.fetchone()
    if held != read or differs:
        raise ArchiveDiffers(f"{path} loads {read} rows that aren't the {held} rows of {leaf}")
    return int(held)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
