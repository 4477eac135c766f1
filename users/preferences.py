"""Which notices a person wants."""

from uuid import UUID

from users.models import User
from users.refusals import NotFound

Notices = dict[str, dict[str, bool]]


def notices_wanted(*, user_id: UUID) -> Notices:
    """Tell which notices the person wants, by channel. Refuses with NotFound."""
    wanted: Notices | None = User.objects.filter(id=user_id).values_list("notifications", flat=True).first()
    if wanted is None:
        raise NotFound
    return wanted


def choose_notices(*, user_id: UUID, notices: Notices) -> Notices:
    """Replace the choice: `{"email": {notice: bool}}` with every notice. Refuses with NotFound."""
    if not User.objects.filter(id=user_id).update(notifications=notices):
        raise NotFound
    return notices
