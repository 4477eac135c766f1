"""The table that counts calls where there is no Redis: unlogged, since a crash may forget the last minutes."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.RunSQL(
            sql="""
            CREATE UNLOGGED TABLE rate_limit_counter (
                key text PRIMARY KEY,
                count bigint NOT NULL CHECK (count > 0),
                expires_at timestamptz NOT NULL
            ) WITH (fillfactor = 50);
            CREATE INDEX rate_limit_counter_expires_at ON rate_limit_counter (expires_at);
            """,
            reverse_sql="DROP TABLE rate_limit_counter;",
        ),
    ]
