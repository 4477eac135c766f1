"""An index that is built while others write."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("config", "0002_a_column")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY counter_by_spare ON rate_limit_counter (spare)",
            "DROP INDEX CONCURRENTLY counter_by_spare",
        )
    ]
