"""What a provider's event was found to be about, for the timelines of wallets and payments; old ones stay unmatched."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("payments", "0008_provider_references"),
    ]

    operations = [
        migrations.AddField(model_name="providerevent", name="wallet_id", field=models.UUIDField(null=True)),
        migrations.AddField(model_name="providerevent", name="payment_id", field=models.UUIDField(null=True)),
        migrations.AddField(model_name="providerevent", name="refund_id", field=models.UUIDField(null=True)),
        AddIndexConcurrently(
            model_name="providerevent",
            index=models.Index(
                condition=models.Q(("wallet_id__isnull", False)),
                fields=["wallet_id", "-id"],
                name="provider_event_by_wallet",
            ),
        ),
        AddIndexConcurrently(
            model_name="providerevent",
            index=models.Index(
                condition=models.Q(("payment_id__isnull", False)),
                fields=["payment_id", "-id"],
                name="provider_event_by_payment",
            ),
        ),
        AddIndexConcurrently(
            model_name="providerevent",
            index=models.Index(
                condition=models.Q(("status__in", ["received", "failed"])),
                fields=["status", "-id"],
                name="provider_event_unhandled",
            ),
        ),
    ]
