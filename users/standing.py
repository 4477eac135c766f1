"""Whether a person may still act: switched off and on, signed out everywhere, and read again where it counts."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from users import trail
from users.models import User
from users.principals import Principal
from users.refusals import NotFound, PermissionDenied

ACTIVE, INACTIVE = "active", "inactive"


def deactivate(*, user_id: UUID, actor: str, reason: str) -> None:
    """Switch a person off: no log-in, no refresh; access tokens that are out end within minutes. Refuses with NotFound."""
    _change(
        user_id,
        actor=actor,
        action="user.deactivated",
        reason=reason,
        is_active=False,
        tokens_valid_from=timezone.now(),
    )


def reactivate(*, user_id: UUID, actor: str, reason: str) -> None:
    """Switch a person on again; old sessions stay ended. Refuses with NotFound."""
    _change(user_id, actor=actor, action="user.reactivated", reason=reason, is_active=True)


def revoke_sessions(*, user_id: UUID, actor: str, reason: str) -> None:
    """End every session that the person has. Refuses with NotFound."""
    _change(
        user_id,
        actor=actor,
        action="user.sessions_revoked",
        reason=reason,
        tokens_valid_from=timezone.now(),
    )


def staff_member(*, principal: Principal, permission: str) -> User:
    """Read again the person behind a token, for a decision about money.

    Refuses with PermissionDenied when the person is no longer active, no longer staff, or has lost the permission
    since the token was issued.
    """
    user = User.objects.filter(id=principal.id).first()
    if user is None or not user.is_active or not user.is_staff or not user.may(permission):
        raise PermissionDenied
    return user


def _change(user_id: UUID, *, actor: str, action: str, reason: str, **changes: object) -> None:
    with transaction.atomic():
        user = User.objects.select_for_update().filter(id=user_id).first()
        if user is None:
            raise NotFound
        from_state = ACTIVE if user.is_active else INACTIVE
        for name, value in changes.items():
            setattr(user, name, value)
        user.save(update_fields=list(changes))
        trail.record(
            actor=actor,
            action=action,
            object_type="user",
            object_id=user.id,
            from_state=from_state,
            to_state=ACTIVE if user.is_active else INACTIVE,
            reason=reason,
        )
