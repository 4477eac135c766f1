"""Whether a person may still act: switched off and on, signed out everywhere, and read again where it counts.

Who did it and why is for the caller to record in the audit trail, in the same transaction.
"""

from uuid import UUID

from django.utils import timezone

from users.models import User
from users.principals import Principal
from users.refusals import NotFound, PermissionDenied


def deactivate(*, user_id: UUID) -> None:
    """Switch a person off: no log-in, no refresh; access tokens that are out end within minutes. Refuses with NotFound."""
    _change(user_id, is_active=False, tokens_valid_from=timezone.now())


def reactivate(*, user_id: UUID) -> None:
    """Switch a person on again; old sessions stay ended. Refuses with NotFound."""
    _change(user_id, is_active=True)


def revoke_sessions(*, user_id: UUID) -> None:
    """End every session that the person has. Refuses with NotFound."""
    _change(user_id, tokens_valid_from=timezone.now())


def staff_member(*, principal: Principal, permission: str) -> User:
    """Read again the person behind a token, for a decision about money.

    Refuses with PermissionDenied when the person is no longer active, no longer staff, or has lost the permission
    since the token was issued.
    """
    user = User.objects.filter(id=principal.id).first()
    if user is None or not user.is_active or not user.is_staff or not user.may(permission):
        raise PermissionDenied
    return user


def _change(user_id: UUID, **changes: object) -> None:
    if not User.objects.filter(id=user_id).update(**changes):
        raise NotFound
