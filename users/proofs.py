"""Showing once more who one is: the second step of a log-in, and again before a decision about money."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from users import login_attempts, trail
from users.models import StaffSession, User
from users.principals import Principal
from users.refusals import WrongProof
from users.second_factors import confirm_enrolment, takes_code
from users.signing_in import is_password_of


def show_factor(*, session: StaffSession, code: str, address: str, now: datetime) -> None:
    """Let a session in by a code of the authenticator or a recovery code, after the password.

    Refuses with WrongProof, or with TooManyLogins after too many failures.
    """
    _try(session.user, address=address, is_right=lambda: takes_code(user=session.user, code=code, now=now))
    StaffSession.objects.filter(id=session.id).update(factor_shown_at=now, proved_at=now)
    _record(session.user, "login.factor_shown")


def confirm_factor(*, session: StaffSession, code: str, address: str, now: datetime) -> list[str]:
    """Take the first code of a person's new authenticator in the session that enrols it; gives the recovery codes, this once.

    The person's other sessions ask for a code from now on. Refuses as `show_factor` does.
    """
    given: list[str] = []

    def is_right() -> bool:
        try:
            given.extend(confirm_enrolment(user=session.user, code=code, now=now))
        except WrongProof:
            return False
        return True

    _try(session.user, address=address, is_right=is_right)
    StaffSession.objects.filter(id=session.id).update(factor_shown_at=now, proved_at=now)
    return given


def prove_again(*, session: StaffSession, proof: str, address: str, now: datetime) -> None:
    """Take a person's password or one of their codes, for the decisions of the next minutes. Refuses as `show_factor` does."""
    person = session.user
    _try(
        person,
        address=address,
        is_right=lambda: takes_code(user=person, code=proof, now=now) or is_password_of(person, proof),
    )
    StaffSession.objects.filter(id=session.id).update(proved_at=now)
    _record(person, "login.proved_again")


def accounts_of(*, user_id: UUID, email: str) -> tuple[str, str]:
    """Name the counts that may shut a person out: of their passwords at log-in, and of their proofs after it."""
    return (
        login_attempts.account_subject(kind="user", name=email),
        login_attempts.account_subject(kind="proof", name=str(user_id)),
    )


def _try(person: User, *, address: str, is_right: Callable[[], bool]) -> None:
    """Count an attempt by itself: those of strangers at the log-in keep nobody who is logged in from deciding."""
    account = login_attempts.account_subject(kind="proof", name=str(person.id))
    login_attempts.admit(account=account, address=address)
    if not is_right():
        _record(person, "login.failed", reason="wrong password or code")
        login_attempts.count_failure(address=address)
        raise WrongProof
    login_attempts.forgive(account=account)


def _record(person: User, action: str, *, reason: str = "") -> None:
    trail.record(
        actor=Principal(id=person.id, role=person.role).name,
        action=action,
        object_type="user",
        object_id=person.id,
        reason=reason,
    )
