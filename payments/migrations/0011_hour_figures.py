"""What the dashboard adds up, hour by hour."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0010_settlement_reports"),
    ]

    operations = [
        migrations.CreateModel(
            name="FiguresPlace",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("next_hour", models.DateTimeField()),
                ("audit_to", models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name="HourFigures",
            fields=[
                ("hour", models.DateTimeField(primary_key=True, serialize=False)),
                ("wallets_created", models.IntegerField()),
                ("succeeded", models.IntegerField()),
                ("failed", models.IntegerField()),
                ("failed_top_ups", models.IntegerField()),
                ("active_1d", models.IntegerField(null=True)),
                ("active_7d", models.IntegerField(null=True)),
                ("active_30d", models.IntegerField(null=True)),
                ("active_90d", models.IntegerField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="HourVolume",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "hour", "currency", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                ("count", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="CustomerActivity",
            fields=[
                ("user_id", models.UUIDField(primary_key=True, serialize=False)),
                ("last_hour", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["last_hour"], name="activity_by_hour")],
            },
        ),
    ]
