"""Find audit entries by what was done. Each partition's index is built beside its writers, then joined to the parent's."""

from typing import Any

from django.db import migrations

# Those that have it already were made, or joined, since this began.
LEAVES = """
SELECT leaf.inhrelid::regclass::text FROM pg_inherits AS leaf WHERE leaf.inhparent = 'events_auditentry'::regclass
AND NOT EXISTS (SELECT FROM pg_index AS i JOIN pg_inherits AS joined ON joined.inhrelid = i.indexrelid
    WHERE i.indrelid = leaf.inhrelid AND joined.inhparent = 'audit_by_action'::regclass)
"""


def build(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("CREATE INDEX IF NOT EXISTS audit_by_action ON ONLY events_auditentry (action, id)")
        cursor.execute(LEAVES)
        for (leaf,) in cursor.fetchall():
            # One that broke off half-way is of no use to anybody.
            cursor.execute(f"DROP INDEX IF EXISTS {leaf}_by_action")
            cursor.execute(f"CREATE INDEX CONCURRENTLY {leaf}_by_action ON {leaf} (action, id)")
            cursor.execute(f"ALTER INDEX audit_by_action ATTACH PARTITION {leaf}_by_action")


def drop(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS audit_by_action")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0003_clock_leads")]

    operations = [migrations.RunPython(build, drop)]
