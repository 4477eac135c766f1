"""Check the rows that were there before, without holding up those who write."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("transactions", "0004_receivables")]

    operations = [ValidateConstraint(model_name="ledgeraccount", name="account_floor_covers_receivable")]
