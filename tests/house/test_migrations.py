"""Models and migrations say the same, and every migration can be taken back."""

import pytest
from django.core.management import call_command
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader

APPS = ("config", "users", "events", "transactions", "wallets", "tokens", "payments", "backoffice")


@pytest.mark.django_db(databases=["default", "owner"])
def test_when_asked_for_new_migrations_then_there_are_none() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_migration_of_ours_can_be_taken_back() -> None:
    ours = {
        key: migration for key, migration in MigrationLoader(None).disk_migrations.items() if key[0] in APPS
    }

    stuck = [
        key
        for key, migration in ours.items()
        for operation in migration.operations
        if isinstance(operation, RunSQL | RunPython) and not operation.reversible
    ]

    assert len(ours) >= 10
    assert stuck == []
