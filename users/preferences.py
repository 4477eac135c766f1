"""Which notices a person wants."""

from uuid import UUID

from django.db import transaction

from users import trail
from users.models import User
from users.principals import Principal
from users.refusals import NotFound

Notices = dict[str, dict[str, bool]]


def notices_wanted(*, user_id: UUID) -> Notices:
    """Tell which notices the person wants, by channel. Refuses with NotFound."""
    wanted: Notices | None = User.objects.filter(id=user_id).values_list("notifications", flat=True).first()
    if wanted is None:
        raise NotFound
    return wanted


def choose_notices(*, principal: Principal, notices: Notices) -> Notices:
    """Replace one's choice: `{"email": {notice: bool}}` with every notice. Refuses with NotFound."""
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
