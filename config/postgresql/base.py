"""The connection that the application's role works on."""

from django.db.backends.postgresql import base
from django.db.backends.utils import debug_transaction
from psycopg.pq import ExecStatus


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose prepared statements outlive a rollback.

    psycopg drops them all at each one, as the rollback may undo the making of a table that they read. This role makes
    no tables, and every refusal of a call rolls back: the next call would prepare its statements anew.
    """

    def _rollback(self) -> None:
        if self.connection is None:
            return
        with debug_transaction(self, "ROLLBACK"), self.wrap_database_errors:
            result = self.connection.pgconn.exec_(b"ROLLBACK")
            if result.status != ExecStatus.COMMAND_OK:
                # The connection is lost; psycopg tells why.
                self.connection.rollback()
