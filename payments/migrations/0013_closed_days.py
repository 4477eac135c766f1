"""What each day that is over came to at each processor."""

from django.db import migrations, models

GUARDS = """
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON payments_closeddayfigure
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON payments_closeddayfigure
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_delete BEFORE DELETE ON payments_closedday
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON payments_closedday
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""
REVERSE = """
DROP TRIGGER refuse_change ON payments_closeddayfigure;
DROP TRIGGER refuse_truncate ON payments_closeddayfigure;
DROP TRIGGER refuse_delete ON payments_closedday;
DROP TRIGGER refuse_truncate ON payments_closedday;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0012_floats"),
        ("events", "0002_partitions_and_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClosedDay",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("version", models.IntegerField(default=1)),
                ("closed_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField(null=True)),
                ("proved_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ClosedDayFigure",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "version",
                        "processor",
                        "currency",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("version", models.IntegerField()),
                ("processor", models.CharField(max_length=64)),
                ("currency", models.CharField(max_length=3)),
                ("came_in", models.BigIntegerField()),
                ("went_out", models.BigIntegerField()),
                ("documents", models.BigIntegerField()),
                ("movements", models.IntegerField()),
                ("breaks", models.IntegerField()),
            ],
        ),
        migrations.RunSQL(GUARDS, REVERSE),
    ]
