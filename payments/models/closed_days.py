"""What each day that is over came to at each processor, as it was counted when it was closed and whenever it was found changed."""

from django.db import models


class ClosedDay(models.Model):
    """A day (UTC) that was counted once nobody could write into it any more, days without movement too.

    `version` is that of the figures that stand, 1 unless the book was changed afterwards, which was seen at `changed_at`.
    `proved_at` is when the book was last seen to say the same as they do, by the database's clock.
    """

    day = models.DateField(primary_key=True)
    version = models.IntegerField(default=1)
    closed_at = models.DateTimeField()
    changed_at = models.DateTimeField(null=True)
    proved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.day} {self.version}"


class ClosedDayFigure(models.Model):
    """One processor in one currency on a closed day, in minor units, positive towards us; never changed.

    What a later version doesn't have any more stands in it with zeros.
    """

    pk = models.CompositePrimaryKey("day", "version", "processor", "currency")
    day = models.DateField()
    version = models.IntegerField()
    processor = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    came_in = models.BigIntegerField()
    went_out = models.BigIntegerField()
    documents = models.BigIntegerField()
    movements = models.IntegerField()
    breaks = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.version} {self.processor} {self.currency}"
