"""The index that the relay reads the outbox by, built while entries are being written."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("events", "0005_outbox_numbers")]

    operations = [
        AddIndexConcurrently(
            "outboxentry",
            models.Index(models.OrderBy(models.F("number"), nulls_first=True), name="outbox_by_number"),
        )
    ]
