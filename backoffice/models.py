"""What staff write down about customers and wallets, the views that they keep, and files made in the background."""

from django.conf import settings
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


class SavedView(models.Model):
    """What somebody narrowed an explorer to, under a name; a shared one is offered to all who may open its page."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    explorer = models.CharField(max_length=32)
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="saved_view_once", fields=["owner", "explorer", "name"]),
        ]
        indexes = [
            models.Index(name="saved_view_shared", fields=["explorer", "name"], condition=Q(is_shared=True))
        ]

    def __str__(self) -> str:
        return self.name


class Export(models.Model):
    """A file that is made in the background, with its rows so far; due until it is done, and leased meanwhile."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False
    )
    explorer = models.CharField(max_length=32)
    query = models.CharField(max_length=2000)
    time_zone = models.CharField(max_length=64)
    rows = models.BigIntegerField(default=0)
    parts = models.IntegerField(default=0)
    after = models.UUIDField(null=True)
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="export_is_due_until_finished",
                condition=Q(due_at__isnull=False, finished_at__isnull=True)
                | Q(due_at__isnull=True, finished_at__isnull=False),
            )
        ]
        indexes = [
            models.Index(name="export_by_person", fields=["requested_by", "-id"]),
            models.Index(name="export_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.explorer} {self.id}"


class ExportPart(models.Model):
    """Some thousands of rows of a file, as they are sent."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    export = models.ForeignKey(Export, models.CASCADE, related_name="contents", db_index=False)
    number = models.IntegerField()
    body = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(name="export_part_once", fields=["export", "number"])]

    def __str__(self) -> str:
        return f"{self.export_id} {self.number}"
