# From when on an item may be gone from its vault, so that no new token is given it.

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0001_saved_cards"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymenttoken",
            name="destroying_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
