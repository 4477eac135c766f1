"""Notices on their way to people, and how far the events were read for them: what is past is told to nobody."""

import django.db.models.deletion
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models

START = "INSERT INTO events_noticeplace (id, position) SELECT 1, last FROM events_eventposition WHERE id = 1"


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0007_failed_work"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="NoticePlace",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="notice_place_is_one_row")
                ],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("event_id", models.UUIDField()),
                ("event_type", models.CharField(max_length=64)),
                ("channel", models.CharField(max_length=16)),
                ("notice", models.CharField(max_length=32)),
                ("facts", models.JSONField()),
                ("status", models.CharField(default="pending", max_length=16)),
                ("attempts", models.IntegerField(default=0)),
                ("due_at", models.DateTimeField()),
                ("leased_until", models.DateTimeField(null=True)),
                ("last_error", models.CharField(blank=True, default="", max_length=500)),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "pending")), fields=["due_at"], name="notification_due"
                    ),
                    models.Index(fields=["finished_at"], name="notification_finished"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("event_id", "user", "channel"), name="notification_once_for_event"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", True), ("status", "pending")),
                            models.Q(
                                ("finished_at__isnull", False),
                                ("status__in", ["sent", "failed", "cancelled"]),
                            ),
                            _connector="OR",
                        ),
                        name="notification_status_is_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(START, "DELETE FROM events_noticeplace"),
    ]
