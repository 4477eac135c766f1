"""The index by which staff find a card by its last four digits."""

from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tokens", "0002_destroying_at"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="paymenttoken",
            index=models.Index(fields=["last4", "-id"], name="token_by_last4"),
        ),
    ]
