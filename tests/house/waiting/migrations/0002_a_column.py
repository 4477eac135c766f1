"""A column that is there at once, as soon as nobody holds the table."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("config", "0001_rate_limit_counter")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE rate_limit_counter ADD COLUMN spare integer",
            "ALTER TABLE rate_limit_counter DROP COLUMN spare",
        )
    ]
