"""Notes and tags of staff on customers and wallets: written once, audited, never rewritten."""

import re
from collections.abc import Collection, Sequence
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from backoffice.models import Note, Tag
from events import audit
from events.clock import now
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.refusals import InvalidInput
from users.customers import customer

ObjectType = Literal["user", "wallet"]
LONGEST_NOTE = 2000
NOTES_SHOWN = 20
_TAG = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def add_note(*, object_type: ObjectType, object_id: UUID, text: str, actor: str, call: KeyedCall) -> Answer:
    """Write a note about a customer or a wallet; `call.render` is given it. Refuses with InvalidInput."""
    return _noted(object_type, object_id, text, actor, call, same_as=None)


def note_same_person(*, customer_id: UUID, other_id: UUID, text: str, actor: str, call: KeyedCall) -> Answer:
    """Write down, on both, that two customers are one person; nothing else of them changes.

    Refuses with NotFound where one of them is no customer, and with InvalidInput.
    """
    if customer_id == other_id:
        raise InvalidInput("A customer is the same person as themselves anyway.", field="other_id")
    for one in (customer_id, other_id):
        customer(one)
    return _noted("user", customer_id, text, actor, call, same_as=other_id)


def notes_on(object_ids: Collection[UUID]) -> Sequence[Note]:
    """Read the latest notes on these objects, newest first."""
    return list(Note.objects.filter(object_id__in=object_ids).order_by("-id")[:NOTES_SHOWN])


def add_tag(*, object_type: ObjectType, object_id: UUID, name: str, actor: str) -> None:
    """Put a tag on a customer or a wallet; one that is there stays. Refuses with InvalidInput."""
    tag = "-".join(name.lower().split())
    if not _TAG.fullmatch(tag):
        raise InvalidInput("A tag has up to 32 letters, digits and hyphens.", field="name")
    with transaction.atomic():
        _, is_new = Tag.objects.get_or_create(
            object_id=object_id,
            name=tag,
            defaults={"object_type": object_type, "actor": actor, "created_at": now()},
        )
        if is_new:
            _record(actor, "tag_added", object_type, object_id, tag)


def remove_tag(*, object_type: ObjectType, object_id: UUID, name: str, actor: str) -> None:
    """Take a tag off; one that isn't there is nothing to take."""
    with transaction.atomic():
        gone, _ = Tag.objects.filter(object_type=object_type, object_id=object_id, name=name).delete()
        if gone:
            _record(actor, "tag_removed", object_type, object_id, name)


def tags_on(object_id: UUID) -> Sequence[str]:
    """List an object's tags by alphabet."""
    return list(Tag.objects.filter(object_id=object_id).order_by("name").values_list("name", flat=True))


def tagged(object_type: ObjectType, name: str) -> QuerySet[Tag, UUID]:
    """Give the ids of the objects that have a tag."""
    return Tag.objects.filter(object_type=object_type, name=name.lower()).values_list("object_id", flat=True)


def _noted(
    object_type: ObjectType, object_id: UUID, text: str, actor: str, call: KeyedCall, *, same_as: UUID | None
) -> Answer:
    words = text.strip()
    if not words or len(words) > LONGEST_NOTE or "\0" in words:
        raise InvalidInput(f"A note has 1 to {LONGEST_NOTE} characters.", field="text")

    def effect() -> Answer:
        notes = [Note(object_type=object_type, object_id=object_id, text=words, same_as=same_as)]
        if same_as is not None:
            notes.append(Note(object_type=object_type, object_id=same_as, text=words, same_as=object_id))
        for note in notes:
            note.actor, note.created_at = actor, now()
            note.save(force_insert=True)
            _record(actor, "noted", object_type, note.object_id, "")
        return store(call, notes[0])

    return once(call, effect)


def _record(actor: str, what: str, object_type: ObjectType, object_id: UUID, reason: str) -> None:
    audit.record(
        actor=actor,
        action=f"{object_type}.{what}",
        object_type=object_type,
        object_id=object_id,
        reason=reason,
    )
