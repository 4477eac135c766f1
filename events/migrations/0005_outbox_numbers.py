"""Numbers for outbox entries, given under the wallet's lock: the order in which the relay takes them.

Nothing is rewritten: entries that are there already have no number and are older than all that have one.
"""

from django.db import migrations, models

NUMBERS = """
CREATE SEQUENCE events_outbox_number_seq OWNED BY events_outbox.number;
ALTER TABLE events_outbox ALTER COLUMN number SET DEFAULT nextval('events_outbox_number_seq');
"""

REVERSE = """
ALTER TABLE events_outbox ALTER COLUMN number DROP DEFAULT;
DROP SEQUENCE events_outbox_number_seq;
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0004_audit_by_action")]

    operations = [
        migrations.AddField(
            "outboxentry", "number", models.BigIntegerField(editable=False, null=True), preserve_default=True
        ),
        migrations.RunSQL(NUMBERS, REVERSE),
    ]
