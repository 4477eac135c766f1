"""What the wallets of each currency hold, as it was counted last."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0011_hour_figures"),
    ]

    operations = [
        migrations.CreateModel(
            name="CurrencyFloat",
            fields=[
                ("currency", models.CharField(max_length=3, primary_key=True, serialize=False)),
                ("wallets", models.BigIntegerField()),
                ("ledger", models.BigIntegerField()),
                ("breaks_floor", models.BooleanField()),
                ("breaks_credit_line", models.BooleanField()),
                ("counted_at", models.DateTimeField()),
            ],
        ),
    ]
