"""Which notices a person wants."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from users import trail
from users.models import User
from users.principals import Principal
from users.refusals import NotFound

Notices = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one person wants to be told, and beyond which amounts."""

    chosen: Notices
    is_active: bool = True

    def wants(self, channel: str, notice: str) -> bool:
        """Whether the person wants the notice by the channel."""
        return self.is_active and bool(self.chosen.get(channel, {}).get(notice, False))

    def threshold(self, notice: str, currency: str) -> int | None:
        """Tell the person's own mark for a notice, in minor units; None where there is none."""
        mark: int | None = self.chosen.get("thresholds", {}).get(notice, {}).get(currency)
        return mark


def wishes_of(user_ids: Collection[UUID]) -> dict[UUID, Wishes]:
    """Read the wishes of people; whoever isn't known wants nothing."""
    found = {
        user_id: Wishes(chosen, is_active)
        for user_id, chosen, is_active in User.objects.filter(id__in=user_ids).values_list(
            "id", "notifications", "is_active"
        )
    }
    return {user_id: found.get(user_id, Wishes({}, is_active=False)) for user_id in user_ids}


def notices_wanted(*, user_id: UUID) -> Notices:
    """Tell which notices the person wants, by channel. Refuses with NotFound."""
    wanted: Notices | None = User.objects.filter(id=user_id).values_list("notifications", flat=True).first()
    if wanted is None:
        raise NotFound
    return wanted


def choose_notices(*, principal: Principal, notices: Notices) -> Notices:
    """Replace one's choice: `{"email": {notice: bool}}` with every notice, and `thresholds` where there are own ones.

    `{"thresholds": {"low_balance": {"USD": 500}, "large_debit": {…}}}` is in minor units. Refuses with NotFound.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().filter(id=principal.id).first()
        if user is None:
            raise NotFound
        before, user.notifications = user.notifications, notices
        user.save(update_fields=["notifications"])
        trail.record(
            actor=principal.name,
            action="user.notices_chosen",
            object_type="user",
            object_id=user.id,
            before=before,
            after=notices,
        )
    return notices
