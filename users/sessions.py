"""Sessions: what a log-in opens, a refresh continues, and a log-out, a reuse or an operator ends."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from users import trail
from users.credentials import RefreshClaims, refresh_claims, sign_access, sign_refresh
from users.models import RefreshFamily, ServiceClient, User
from users.principals import Principal
from users.refusals import InvalidToken, TokenExpired

# Rows of ended sessions are of use to nobody a day after their last token ran out.
KEPT_AFTER_EXPIRY: Final = timedelta(days=1)

SPEND = """
INSERT INTO users_spentrefreshtoken (jti, family_id, spent_at) VALUES (%s, %s, %s) ON CONFLICT (jti) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token, good for `expires_in_s` seconds, and the refresh token that replaces it once."""

    access: str
    refresh: str
    expires_in_s: int


def open_session(*, bearer: User | ServiceClient) -> TokenPair:
    """Start a session for somebody who has just shown who they are."""
    family = RefreshFamily(
        user=bearer if isinstance(bearer, User) else None,
        client=bearer if isinstance(bearer, ServiceClient) else None,
        expires_at=_expiry(timezone.now()),
    )
    with transaction.atomic():
        family.save(force_insert=True)
        trail.record(
            actor=Principal(id=bearer.id, role=bearer.role).name,
            action="session.opened",
            object_type="session",
            object_id=family.id,
            to_state="open",
        )
    return _pair(bearer, family.id)


def continue_session(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair, with the role and the permissions that hold now.

    One insert decides: whoever inserts the token's id first has spent it, and every other use of it, however
    close, is a reuse that revokes the session. Refuses with InvalidToken or TokenExpired.
    """
    claims = refresh_claims(refresh)
    now = timezone.now()
    with transaction.atomic():
        bearer = _bearer_of_live(claims)
        is_first = _spend(claims, now)
        if is_first:
            # The condition is seen again under the row's lock: a reuse may have revoked the session meanwhile.
            alive = RefreshFamily.objects.filter(id=claims.family_id, revoked_at=None)
            if not alive.update(expires_at=_expiry(now)):
                raise InvalidToken
        else:
            _revoke(claims, RefreshFamily.Revocation.REUSE, now)
    if not is_first:
        raise InvalidToken("This refresh token has been used before; its session has been ended.")
    return _pair(bearer, claims.family_id)


def close_session(*, refresh: str) -> None:
    """Log out: no refresh token of the session works any more; doing so again changes nothing.

    Access tokens that are out run to their end, some minutes later: nobody asks the database about them.
    Refuses with InvalidToken.
    """
    try:
        claims = refresh_claims(refresh)
    except TokenExpired:
        return
    with transaction.atomic():
        _revoke(claims, RefreshFamily.Revocation.LOGOUT, timezone.now())


def forget_ended_sessions(*, now: datetime) -> int:
    """Delete the sessions whose last token ran out over a day ago; tell how many."""
    _, deleted = RefreshFamily.objects.filter(expires_at__lt=now - KEPT_AFTER_EXPIRY).delete()
    return deleted.get(RefreshFamily._meta.label, 0)


def _expiry(now: datetime) -> datetime:
    return now.astimezone(UTC) + timedelta(seconds=settings.REFRESH_TOKEN_LIFETIME_S)


def _pair(bearer: User | ServiceClient, family_id: UUID) -> TokenPair:
    return TokenPair(
        access=sign_access(bearer_id=bearer.id, role=bearer.role, permissions=bearer.permissions),
        refresh=sign_refresh(bearer_id=bearer.id, family_id=family_id),
        expires_in_s=settings.ACCESS_TOKEN_LIFETIME_S,
    )


def _bearer_of_live(claims: RefreshClaims) -> User | ServiceClient:
    family = RefreshFamily.objects.select_related("user", "client").filter(id=claims.family_id).first()
    bearer = (family.user or family.client) if family else None
    if family is None or bearer is None or bearer.id != claims.bearer_id or not bearer.is_active:
        raise InvalidToken
    if family.revoked_at or (bearer.tokens_valid_from and family.created_at < bearer.tokens_valid_from):
        raise InvalidToken
    return bearer


def _spend(claims: RefreshClaims, now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(SPEND, [claims.jti, claims.family_id, now])
        return bool(cursor.rowcount == 1)


def _revoke(claims: RefreshClaims, why: RefreshFamily.Revocation, now: datetime) -> None:
    alive = RefreshFamily.objects.select_related("user", "client").select_for_update(of=("self",))
    family = alive.filter(id=claims.family_id, revoked_at=None).first()
    bearer = (family.user or family.client) if family else None
    if family is None or bearer is None:
        return
    family.revoked_at, family.revocation = now, why
    family.save(update_fields=["revoked_at", "revocation"])
    trail.record(
        actor=Principal(id=bearer.id, role=bearer.role).name,
        action="session.ended",
        object_type="session",
        object_id=family.id,
        from_state="open",
        to_state="ended",
        reason=why.value,
    )
