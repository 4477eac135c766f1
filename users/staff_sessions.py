"""Sessions of staff in the back office: opened by a log-in, ended by a log-out, by doing nothing, or from elsewhere.

Django's own session says who somebody is; the row here says whether that still holds, since when, and how lately
they have shown it.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from users import trail
from users.models import SecondFactor, StaffSession, User
from users.principals import Principal
from users.refusals import NotFound, SessionOver

# Writing down every single call would cost each page an update.
SEEN_EVERY: Final = timedelta(seconds=15)
KEPT: Final = timedelta(days=90)
IDLE, ENDED = "idle", "ended"
LONGEST_DEVICE = 200


def open_staff_session(*, user: User, address: str, device: str, now: datetime) -> StaffSession:
    """Write down that a person has logged in with a password; `device` is what the browser calls itself."""
    session = StaffSession.objects.create(
        user=user,
        opened_at=now,
        last_seen_at=now,
        proved_at=now,
        address=address,
        device=device.replace("\0", "")[:LONGEST_DEVICE],
    )
    _record(session, "session.opened", actor=_name(user), to_state="open", device=session.device)
    return session


def renew_staff_session(*, session: StaffSession, now: datetime) -> StaffSession:
    """Let a session go on as a new one, after all of the person's others were ended."""
    fresh = StaffSession.objects.create(
        user=session.user,
        opened_at=now,
        last_seen_at=now,
        proved_at=now,
        factor_shown_at=session.factor_shown_at,
        address=session.address,
        device=session.device,
    )
    StaffSession.objects.filter(id=session.id, ended_at=None).update(
        ended_at=now, ending=StaffSession.Ending.RENEWED
    )
    return fresh


def continue_staff_session(*, session_id: UUID, user_id: UUID, now: datetime) -> StaffSession:
    """Read the session of a call, with its person and their second factor, and note that they were seen.

    Refuses with SessionOver: `idle` when nothing was done for STAFF_IDLE_S, `ended` when it was ended otherwise.
    """
    found = (
        StaffSession.objects.select_related("user", "user__second_factor")
        .filter(id=session_id, user_id=user_id)
        .first()
    )
    if found is None:
        raise SessionOver(ENDED)
    valid_from = found.user.tokens_valid_from
    if found.ended_at or (valid_from and found.opened_at < valid_from):
        raise SessionOver(IDLE if found.ending == StaffSession.Ending.IDLE else ENDED)
    if now - found.last_seen_at > timedelta(seconds=settings.STAFF_IDLE_S):
        if _end(StaffSession.objects.filter(id=found.id), StaffSession.Ending.IDLE, now):
            _record(found, "session.ended", actor=_name(found.user), from_state="open", reason="idle")
        raise SessionOver(IDLE)
    if now - found.last_seen_at > SEEN_EVERY:
        StaffSession.objects.filter(id=found.id).update(last_seen_at=now)
    return found


def factor_of(session: StaffSession) -> SecondFactor | None:
    """Give the second factor that the person of a session has enrolled, or nothing."""
    factor: SecondFactor | None = getattr(session.user, "second_factor", None)
    return factor if factor is not None and factor.confirmed_at else None


def is_proved(session: StaffSession, *, now: datetime) -> bool:
    """Tell whether the person has shown who they are lately enough to decide about money."""
    return now - session.proved_at <= timedelta(seconds=settings.STAFF_PROOF_LASTS_S)


def log_out(*, session_id: UUID, now: datetime) -> None:
    """End a session because its person leaves."""
    session = StaffSession.objects.select_related("user").filter(id=session_id).first()
    if session and _end(StaffSession.objects.filter(id=session.id), StaffSession.Ending.LOGOUT, now):
        _record(session, "session.ended", actor=_name(session.user), from_state="open", reason="logout")


def open_sessions(user_id: UUID, *, now: datetime) -> QuerySet[StaffSession]:
    """List the sessions of a person that go on, the latest first."""
    idle_since = now - timedelta(seconds=settings.STAFF_IDLE_S)
    found = StaffSession.objects.filter(user_id=user_id, ended_at=None, last_seen_at__gte=idle_since)
    valid_from = User.objects.filter(id=user_id).values_list("tokens_valid_from", flat=True).first()
    return (found.filter(opened_at__gte=valid_from) if valid_from else found).order_by("-id")


def revoke_session(*, session_id: UUID, user_id: UUID, actor: str, reason: str, now: datetime) -> None:
    """End one session of a person from elsewhere. Refuses with NotFound."""
    session = StaffSession.objects.select_related("user").filter(id=session_id, user_id=user_id).first()
    if session is None:
        raise NotFound("There is no such session.")
    if _end(StaffSession.objects.filter(id=session.id), StaffSession.Ending.REVOKED, now):
        _record(session, "session.ended", actor=actor, from_state="open", reason=reason or "revoked")


def revoke_others(*, session: StaffSession, reason: str, now: datetime) -> int:
    """End all sessions of a person but this one; tell how many."""
    others = StaffSession.objects.filter(user_id=session.user_id).exclude(id=session.id)
    count = _end(others, StaffSession.Ending.REVOKED, now)
    if count:
        actor = _name(session.user)
        _record(session, "sessions.revoked", actor=actor, reason=reason, count=count)
    return count


def forget_old_staff_sessions(*, now: datetime) -> int:
    """Delete the sessions in which nobody was seen for 90 days; tell how many."""
    count, _ = StaffSession.objects.filter(Q(last_seen_at__lt=now - KEPT)).delete()
    return count


def _end(sessions: QuerySet[StaffSession], why: StaffSession.Ending, now: datetime) -> int:
    return sessions.filter(ended_at=None).update(ended_at=now, ending=why)


def _name(user: User) -> str:
    return Principal(id=user.id, role=user.role).name


def _record(
    session: StaffSession,
    action: str,
    *,
    actor: str,
    from_state: str = "",
    to_state: str = "",
    reason: str = "",
    **more: object,
) -> None:
    trail.record(
        actor=actor,
        action=action,
        object_type="user",
        object_id=session.user_id,
        from_state=from_state,
        to_state=to_state or ("ended" if from_state else ""),
        reason=reason,
        after={"session": str(session.id), **more},
    )
