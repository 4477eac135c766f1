"""Work that keeps failing, for people to look at."""

import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0006_outbox_by_number"),
    ]

    operations = [
        migrations.CreateModel(
            name="FailedWork",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=64)),
                ("object_id", models.CharField(max_length=80)),
                ("tries", models.IntegerField()),
                ("error", models.CharField(max_length=200)),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("first_failed_at", models.DateTimeField()),
                ("last_failed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "failed work",
                "verbose_name_plural": "failed work",
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "object_id"), name="failed_work_once")
                ],
            },
        ),
    ]
