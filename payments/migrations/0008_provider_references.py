"""The indexes by which staff find what a provider calls by its own ids, whichever provider it is."""

from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("payments", "0007_refund_decisions"),
        ("tokens", "0003_tokens_by_last4"),
        ("wallets", "0003_low_mark"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="dispute",
            index=models.Index(fields=["processor_reference"], name="dispute_by_reference"),
        ),
        AddIndexConcurrently(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("processor_reference", ""), _negated=True),
                fields=["processor_reference"],
                name="payment_by_reference",
            ),
        ),
        AddIndexConcurrently(
            model_name="providerevent",
            index=models.Index(fields=["event_id"], name="provider_event_by_event"),
        ),
        AddIndexConcurrently(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("processor_reference", ""), _negated=True),
                fields=["processor_reference"],
                name="refund_by_reference",
            ),
        ),
    ]
