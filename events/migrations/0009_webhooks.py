"""What sending webhooks needs: who holds an endpoint, until when it rests, and what is due of its deliveries.

Nothing has been delivered before, so that the deliveries' columns and indexes are those of an empty table.
"""

from django.db import migrations, models

DELIVERIES = """
ALTER TABLE events_webhookdelivery ADD COLUMN attempts_before integer NOT NULL DEFAULT 0;
ALTER TABLE events_webhookdelivery DROP COLUMN leased_until;
DROP INDEX delivery_due;
CREATE INDEX delivery_first ON events_webhookdelivery (endpoint_id, event_position)
    WHERE status = 'pending' AND attempts = 0;
CREATE INDEX delivery_again ON events_webhookdelivery (endpoint_id, due_at)
    WHERE status = 'pending' AND attempts > 0;
"""

REVERSE = """
DROP INDEX delivery_first, delivery_again;
CREATE INDEX delivery_due ON events_webhookdelivery (due_at) WHERE status = 'pending';
ALTER TABLE events_webhookdelivery ADD COLUMN leased_until timestamptz;
ALTER TABLE events_webhookdelivery DROP COLUMN attempts_before;
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0008_notifications")]

    operations = [
        migrations.AddField(
            "webhookendpoint", "leased_until", models.DateTimeField(null=True), preserve_default=True
        ),
        migrations.AddField(
            "webhookendpoint", "resting_until", models.DateTimeField(null=True), preserve_default=True
        ),
        migrations.AddField(
            "webhookendpoint", "failures_in_a_row", models.IntegerField(default=0, db_default=0)
        ),
        migrations.AlterField(
            "webhookendpoint",
            "status",
            models.CharField(
                choices=[("enabled", "Enabled"), ("disabled", "Disabled"), ("deleted", "Deleted")],
                default="enabled",
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            "webhookendpoint", models.Index(fields=["owner", "id"], name="webhook_endpoint_by_owner")
        ),
        migrations.RunSQL(DELIVERIES, REVERSE),
    ]
