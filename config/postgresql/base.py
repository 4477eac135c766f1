"""The connection that the application's role works on."""

from django.db.backends.postgresql import base
from django.db.backends.utils import debug_transaction
from psycopg import OperationalError
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus

PRIMARY = "default"


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection with transactions of few words, whose prepared statements outlive a rollback.

    psycopg drops what it has prepared at each rollback, as that may undo the making of a table that they read. This
    role makes no tables, and every refusal of a call rolls back: the next call would prepare its statements anew.
    psycopg's own switch between autocommit and transactions costs four times what BEGIN and COMMIT cost.
    """

    def is_usable(self) -> bool:
        """Whether the connection serves after an error; one to a server that became, or always was, a standby doesn't.

        PostgreSQL says so by itself (14 and newer), so that a fail-over is noticed without a question.
        """
        opened = self.connection
        if opened is None or opened.closed:
            return False
        if self.alias == PRIMARY and opened.pgconn.parameter_status(b"in_hot_standby") == b"on":
            return False
        return super().is_usable()

    def _start_transaction_under_autocommit(self) -> None:
        """Begin; Django calls this in place of switching autocommit off."""
        with debug_transaction(self, "BEGIN"), self.wrap_database_errors:
            self._command(b"BEGIN")

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001 - as Django calls it
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # missing in the stubs

    def _commit(self) -> None:
        if self.connection is None:
            return
        with debug_transaction(self, "COMMIT"), self.wrap_database_errors:
            self._command(b"COMMIT")

    def _rollback(self) -> None:
        if self.connection is None:
            return
        with debug_transaction(self, "ROLLBACK"), self.wrap_database_errors:
            self._command(b"ROLLBACK")

    def _command(self, command: bytes) -> None:
        server = self.connection.pgconn
        if command != b"BEGIN" and server.transaction_status == TransactionStatus.IDLE:
            return
        result = server.exec_(command)
        if result.status != ExecStatus.COMMAND_OK:
            # A deferred constraint says no at COMMIT; without a code the server itself is gone.
            if result.error_field(DiagnosticField.SQLSTATE):
                raise error_from_result(result)
            raise OperationalError(result.get_error_message() or "the connection is lost")
        if result.command_status != command:
            # A transaction that has failed answers COMMIT by rolling back, without an error.
            raise OperationalError(f"{command.decode()} was answered {result.command_status!r}")
