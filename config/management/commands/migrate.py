"""`manage.py migrate`, which would rather give up than keep anybody waiting."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.migrations import Migration
from psycopg.errors import LockNotAvailable, QueryCanceled

from config.migration_guards import alone, drop_unfinished_indexes, reset_bounds, set_bounds


class Command(migrate.Command):
    """Django's command, with bounds on what a migration waits for and holds up."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate; refuse with CommandError where a lock can't be had, or a statement takes too long."""
        self.connection = connections[options["database"]]
        try:
            with alone(self.connection):
                drop_unfinished_indexes(self.connection)
                super().handle(*args, **options)
        except OperationalError as failure:
            if isinstance(failure.__cause__, LockNotAvailable):
                waited = "another session holds a lock that it needs"
            elif isinstance(failure.__cause__, QueryCanceled):
                waited = "one of its statements took too long"
            else:
                raise
            raise CommandError(
                f"The migration under way was given up, as {waited}. It has changed nothing, those before it stay,"
                " and the application goes on as it was: run this again."
            ) from failure
        finally:
            reset_bounds(self.connection)

    def migration_progress_callback(
        self,
        action: str,
        migration: Migration | None = None,
        fake: bool = False,  # noqa: FBT001, FBT002 - as Django calls it
    ) -> None:
        """Set the bounds of the migration that is about to begin."""
        if action in ("apply_start", "unapply_start") and migration is not None:
            set_bounds(self.connection, is_atomic=migration.atomic)
        super().migration_progress_callback(action, migration, fake)
