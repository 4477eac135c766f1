"""Views of the explorers that staff keep: each person's own, and those that others share."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.http import QueryDict

from backoffice.explorers.registry import explorer_for
from backoffice.models import SavedView
from events import audit
from events.clock import now
from users.models import User
from users.refusals import NotFound

MOST_SHOWN = 50
LONGEST_NAME = 80
LONGEST_QUERY = 2000


def views_for(person: User, *, explorer: str) -> Sequence[SavedView]:
    """List the views that somebody has kept or is offered of one explorer, by name."""
    theirs = SavedView.objects.filter(Q(owner=person) | Q(is_shared=True), explorer=explorer)
    return list(theirs.order_by("name", "id")[:MOST_SHOWN])


def keep_view(*, person: User, explorer: str, name: str, query: str, is_shared: bool) -> SavedView:
    """Keep what an explorer is narrowed to; a name that the person has used before stands for the new view.

    Refuses with NotFound an explorer that isn't, or isn't for them, and with ValueError a name or a query that
    is empty or too long, and a query that can't be understood.
    """
    found = explorer_for(person, explorer)
    if found is None:
        raise NotFound
    if found.narrowed(QueryDict(query))[0].errors:
        raise ValueError("A view narrows a list to what can be understood.")
    if not 0 < len(name) <= LONGEST_NAME or not 0 < len(query) <= LONGEST_QUERY:
        raise ValueError("A view has a name, and narrows something.")
    with transaction.atomic():
        view, _is_new = SavedView.objects.update_or_create(
            owner=person,
            explorer=explorer,
            name=name,
            defaults={"query": query, "is_shared": is_shared, "created_at": now()},
        )
        _record(view, person, "saved_view.kept")
    return view


def forget_view(*, person: User, view_id: UUID) -> str:
    """Delete one of the person's own views; tells its explorer. Refuses with NotFound what isn't theirs."""
    with transaction.atomic():
        view = SavedView.objects.select_for_update().filter(id=view_id, owner=person).first()
        if view is None:
            raise NotFound
        _record(view, person, "saved_view.forgotten")
        view.delete()
    return view.explorer


def _record(view: SavedView, person: User, action: str) -> None:
    audit.record(
        actor=f"{person.role}:{person.id}",
        action=action,
        object_type="saved_view",
        object_id=view.id,
        after={"name": view.name, "query": view.query, "is_shared": view.is_shared},
    )
