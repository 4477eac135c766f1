"""What the dashboard adds up: each hour's figures, rolled up behind the book, and when each customer last moved money."""

from django.db import models


class HourFigures(models.Model):
    """What began within one hour (UTC): wallets, and charges by what has become of them by now.

    `active_…` are the customers with a movement in the days that ended with this hour; null until the hour is closed.
    """

    hour = models.DateTimeField(primary_key=True)
    wallets_created = models.IntegerField()
    succeeded = models.IntegerField()
    failed = models.IntegerField()
    failed_top_ups = models.IntegerField()
    active_1d = models.IntegerField(null=True)
    active_7d = models.IntegerField(null=True)
    active_30d = models.IntegerField(null=True)
    active_90d = models.IntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}"


class HourVolume(models.Model):
    """What moved of one currency, in minor units, by movements that began within one hour (UTC)."""

    pk = models.CompositePrimaryKey("hour", "currency")
    hour = models.DateTimeField()
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    count = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H} {self.currency}"


class CustomerActivity(models.Model):
    """The last closed hour in which a customer had a movement, whatever became of it."""

    user_id = models.UUIDField(primary_key=True)
    last_hour = models.DateTimeField()

    class Meta:
        indexes = [models.Index(name="activity_by_hour", fields=["last_hour"])]

    def __str__(self) -> str:
        return str(self.user_id)


class CurrencyFloat(models.Model):
    """What the wallets of a currency hold and what the other accounts say that they hold, in minor units, by one pass
    over all accounts at `counted_at`, and whether any account of it was beyond its floor or its credit line then.
    """

    currency = models.CharField(max_length=3, primary_key=True)
    wallets = models.BigIntegerField()
    ledger = models.BigIntegerField()
    breaks_floor = models.BooleanField()
    breaks_credit_line = models.BooleanField()
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.currency


class FiguresPlace(models.Model):
    """How far the roll-up has come: hours before `next_hour` are closed, changes up to `audit_to` are in them."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    next_hour = models.DateTimeField()
    audit_to = models.UUIDField()

    def __str__(self) -> str:
        return f"{self.next_hour:%Y-%m-%d %H}"
