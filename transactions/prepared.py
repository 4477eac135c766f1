"""Statements of the hot path: run raw and prepared, one round trip each.

Compiling querysets costs 16 times the CPU of the statements themselves, and planning them anew most of the
rest. A cursor of psycopg costs more again than the statement that it sends, so these go through its binding of
libpq, whose calls wait without holding the interpreter. Everything else uses the ORM.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import connections, transaction
from psycopg import abc, errors
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.numeric import Int8

PRIMARY = "default"
_HAS_ROWS = ExecStatus.TUPLES_OK
_HAS_NONE = ExecStatus.COMMAND_OK
_PREFIX = "ow_"


@dataclass(eq=False, slots=True)
class Wire:
    """One connection: what it has prepared, and how it reads and writes values.

    `adapters` are Django's, but for moments: those are read by psycopg itself, Django's reader being Python.
    """

    connection: psycopg.Connection
    adapters: AdaptersMap = field(init=False)
    values: abc.Transformer = field(init=False)
    prepared: dict[tuple[str, tuple[int, ...]], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.adapters = AdaptersMap(self.connection.adapters)
        self.adapters.register_loader("timestamptz", TimestamptzLoader)
        self.values = Transformer(self)

    def run(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Prepare the statement where it is new here, run it, and read its rows."""
        # By default each integer is sent in the smallest type that holds it, and every mix of types would be
        # planned as a statement of its own.
        typed = [Int8(value) if type(value) is int else value for value in parameters]
        sent = self.values.dump_sequence(typed, [PyFormat.AUTO] * len(typed)) if typed else []
        types = (self.values.types or ()) if sent else ()
        name = self.prepared.get((statement, types)) or self._prepare(statement, types)
        server = self.connection.pgconn
        formats = self.values.formats if sent else None
        result = server.exec_prepared(name, sent, formats)  # type: ignore[arg-type]  # None stands for NULL
        if result.status == _HAS_ROWS:
            self.values.set_pgresult(result)
            return self.values.load_rows(0, result.ntuples, tuple)
        if result.status != _HAS_NONE:
            raise self._error(result)
        return []

    def _prepare(self, statement: str, types: tuple[int, ...]) -> bytes:
        text = _numbered(statement)
        # Named by what it says: behind a pooler that keeps no account of names, which hands this connection's server
        # to others, a name can be missing or taken, but never stand for another statement.
        name = _PREFIX.encode() + blake2b(b"%b%r" % (text, types), digest_size=12).hexdigest().encode()
        result = self.connection.pgconn.prepare(name, text, types)
        if result.status != _HAS_NONE:
            raise self._error(result)
        self.prepared[statement, types] = name
        return name

    def _error(self, result: Any) -> psycopg.Error:
        if not result.error_field(DiagnosticField.SQLSTATE):
            # Not the server's words but libpq's own: the server is gone. As Django's cursors say it, so that whoever
            # waits for a lost connection hears of it.
            return psycopg.OperationalError(result.get_error_message("utf-8") or "the connection is lost")
        error = errors.error_from_result(result, encoding="utf-8")
        if isinstance(error, errors.InvalidSqlStatementName):
            self.prepared.clear()
        return error


_wires: WeakKeyDictionary[psycopg.Connection, Wire] = WeakKeyDictionary()


def run(statement: str, parameters: Sequence[Any], *, using: str = PRIMARY) -> list[tuple[Any, ...]]:
    """Run one statement on the application's connection, in its transaction, and return its rows.

    `using` names another connection for reads that may come from a replica (`transactions.replicas`).
    Raises Django's database errors, as the ORM would.
    """
    connection = connections[using]
    connection.ensure_connection()
    with connection.wrap_database_errors:
        wire = _wires.get(connection.connection) or _wires.setdefault(
            connection.connection, Wire(connection.connection)
        )
        return run_on(wire, statement, parameters)


def run_on(wire: Wire, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement on a connection that is at hand."""
    return wire.run(statement, parameters)


def is_mixed_up(using: str = PRIMARY) -> bool:
    """Tell whether a pooler in between hands prepared statements out as they are, to whoever is next on their server.

    One that keeps account of them gives them names of its own; without a pooler the server's process is the one
    that was told when the connection was made.
    """
    with transaction.atomic(using=using):
        rows = run("SELECT pg_backend_pid(), ARRAY(SELECT name FROM pg_prepared_statements)", (), using=using)
        pid, names = rows[0]
        told = connections[using].connection.info.backend_pid
    return pid != told and any(name.startswith(_PREFIX) for name in names)


@lru_cache(maxsize=512)
def _numbered(statement: str) -> bytes:
    """Write `%s` as `$1`, `$2`, …, which is how PostgreSQL names parameters."""
    number = count(1)
    return re.sub("%s", lambda _: f"${next(number)}", statement).encode()
