"""What staff write down about customers and wallets."""

from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7


class Note(models.Model):
    """One note, kept as it was written. `same_as` names another customer who is the same person."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    object_type = models.CharField(max_length=32)
    object_id = models.UUIDField()
    same_as = models.UUIDField(null=True)
    text = models.CharField(max_length=2000)
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="note_about_something_known", condition=Q(object_type__in=["user", "wallet"])
            ),
            models.CheckConstraint(
                name="note_joins_customers",
                condition=Q(same_as__isnull=True) | Q(object_type="user") & ~Q(same_as=models.F("object_id")),
            ),
        ]
        indexes = [models.Index(name="note_by_object", fields=["object_id", "-id"])]

    def __str__(self) -> str:
        return f"note {self.id}"


class Tag(models.Model):
    """One word that staff find customers and wallets by."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    object_type = models.CharField(max_length=32)
    object_id = models.UUIDField()
    name = models.CharField(max_length=32)
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="tag_once_on_an_object", fields=["object_id", "name"]),
            models.CheckConstraint(
                name="tag_on_something_known", condition=Q(object_type__in=["user", "wallet"])
            ),
        ]
        indexes = [models.Index(name="tag_by_name", fields=["name", "object_type", "-object_id"])]

    def __str__(self) -> str:
        return self.name
