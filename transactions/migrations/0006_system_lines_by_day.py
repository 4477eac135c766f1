"""Lines of system accounts by the moment at which they were completed, for the daily proof."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("transactions", "0005_check_receivables")]

    operations = [
        AddIndexConcurrently(
            model_name="transaction",
            index=models.Index(
                condition=models.Q(("completed_at__isnull", False), ("seq__isnull", True)),
                fields=["account", "completed_at"],
                name="transaction_of_system_by_day",
            ),
        ),
    ]
