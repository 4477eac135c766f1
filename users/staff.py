"""The staff as their administrators look after them: invited, given another role, switched off and on, let in again.

Each change has a reason and is in the audit trail; nobody changes what is their own, and one administrator always remains.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from users import login_attempts, trail
from users.invitations import invitation_token
from users.models import SecondFactor, User
from users.principals import Principal
from users.proofs import accounts_of
from users.refusals import InvalidInput, LastAdmin, NotFound, OwnAccount
from users.registration import faults_of_email
from users.roles import STAFF_ROLES, Role
from users.standing import ACTIVE, INACTIVE, staff_member

MAY_MANAGE: Final = "staff:manage"
LONGEST_NAME: Final = 120
LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who is to choose a password, and the token of the page on which they do, shown this once."""

    user: User
    token: str


def staff() -> QuerySet[User]:
    """List the staff, in no order yet, with their second factors."""
    return User.objects.filter(role__in=STAFF_ROLES).select_related("second_factor")


def colleague(staff_id: UUID) -> User:
    """Read one member of staff. Refuses with NotFound, customers too."""
    found = staff().filter(id=staff_id).first()
    if found is None:
        raise NotFound("There is no such member of staff.")
    return found


def invite(*, email: str, name: str, role: str, reason: str, principal: Principal) -> Invitation:
    """Create a member of staff who has no password yet.

    Refuses with PermissionDenied, and with InvalidInput a bad or taken address, a name that is too long, a role that
    isn't staff's, and a missing reason.
    """
    staff_member(principal=principal, permission=MAY_MANAGE)
    _require(reason)
    person = User(email=email.strip().lower(), name=name.strip(), role=role, password=make_password(None))
    if role not in STAFF_ROLES:
        raise InvalidInput("This is no role of the staff.", field="role")
    if len(person.name) > LONGEST_NAME:
        raise InvalidInput(f"The name has at most {LONGEST_NAME} characters.", field="name")
    if errors := faults_of_email(person.email):
        raise InvalidInput(errors=errors)
    try:
        with transaction.atomic():
            person.save(force_insert=True)
            _record(person, "user.invited", principal, reason, to_state=ACTIVE, after={"role": role})
    except IntegrityError as broken:
        if "user_email_unique" not in str(broken):
            raise
        raise InvalidInput("This e-mail address is registered already.", field="email") from None
    return Invitation(person, invitation_token(person))


def invite_again(*, staff_id: UUID, reason: str, principal: Principal) -> Invitation:
    """Take a colleague's password away and let them choose another one; all of their sessions end.

    The second factor stays. Refuses with PermissionDenied, NotFound, OwnAccount and InvalidInput.
    """
    with transaction.atomic():
        person = _others(staff_id, reason, principal)
        person.password, person.tokens_valid_from = make_password(None), timezone.now()
        person.save(update_fields=["password", "tokens_valid_from"])
        _record(person, "user.invited_again", principal, reason)
    return Invitation(person, invitation_token(person))


def change_role(*, staff_id: UUID, role: str, reason: str, principal: Principal) -> User:
    """Give a colleague another role; their sessions end, since tokens carry the old one.

    Refuses with PermissionDenied, NotFound, OwnAccount, LastAdmin, and InvalidInput a role that isn't staff's.
    """
    if role not in STAFF_ROLES:
        raise InvalidInput("This is no role of the staff.", field="role")
    with transaction.atomic():
        person = _others(staff_id, reason, principal)
        before = person.role
        if before == role:
            return person
        _keep_an_admin(person)
        person.role, person.tokens_valid_from = role, timezone.now()
        person.save(update_fields=["role", "tokens_valid_from"])
        _record(person, "user.role_changed", principal, reason, before={"role": before}, after={"role": role})
    return person


def deactivate_staff(*, staff_id: UUID, reason: str, principal: Principal) -> User:
    """Switch a colleague off: no log-in, and no session goes on.

    Refuses with PermissionDenied, NotFound, OwnAccount, LastAdmin and InvalidInput.
    """
    with transaction.atomic():
        person = _others(staff_id, reason, principal)
        _keep_an_admin(person)
        person.is_active, person.tokens_valid_from = False, timezone.now()
        person.save(update_fields=["is_active", "tokens_valid_from"])
        _record(person, "user.deactivated", principal, reason, from_state=ACTIVE, to_state=INACTIVE)
    return person


def reactivate_staff(*, staff_id: UUID, reason: str, principal: Principal) -> User:
    """Switch a colleague on again; old sessions stay ended. Refuses as `deactivate_staff` does, but for LastAdmin."""
    with transaction.atomic():
        person = _others(staff_id, reason, principal)
        person.is_active = True
        person.save(update_fields=["is_active"])
        _record(person, "user.reactivated", principal, reason, from_state=INACTIVE, to_state=ACTIVE)
    return person


def sign_out_staff(*, staff_id: UUID, reason: str, principal: Principal) -> User:
    """End every session of a colleague. Refuses with PermissionDenied, NotFound, OwnAccount and InvalidInput."""
    with transaction.atomic():
        person = _others(staff_id, reason, principal)
        person.tokens_valid_from = timezone.now()
        person.save(update_fields=["tokens_valid_from"])
        _record(person, "user.sessions_revoked", principal, reason)
    return person


def reset_factor(*, staff_id: UUID, reason: str, principal: Principal) -> User:
    """Forget a colleague's second factor, whose phone is lost; their sessions end, and they enrol anew.

    Refuses with PermissionDenied, NotFound, OwnAccount and InvalidInput.
    """
    with transaction.atomic():
        person = _others(staff_id, reason, principal)
        SecondFactor.objects.filter(user=person).delete()
        person.tokens_valid_from = timezone.now()
        person.save(update_fields=["tokens_valid_from"])
        _record(person, "factor.reset", principal, reason, from_state="enrolled", to_state="none")
    return person


def unlock(*, staff_id: UUID, reason: str, principal: Principal) -> User:
    """Let a colleague who failed too often try again now. Refuses as `reset_factor` does."""
    with transaction.atomic():
        person = _others(staff_id, reason, principal)
        for account in accounts_of(user_id=person.id, email=person.email):
            login_attempts.forgive(account=account)
        _record(person, "login.unlocked", principal, reason, from_state="locked", to_state="open")
    return person


def let_in(*, email: str, is_factor_reset: bool) -> User:
    """Let a member of staff in from the server's shell: unlocked and, if asked, without a second factor. Refuses with NotFound."""
    with transaction.atomic():
        person = User.objects.select_for_update().filter(email=email.lower(), role__in=STAFF_ROLES).first()
        if person is None:
            raise NotFound("There is no such member of staff.")
        for account in accounts_of(user_id=person.id, email=person.email):
            login_attempts.forgive(account=account)
        if is_factor_reset:
            SecondFactor.objects.filter(user=person).delete()
            person.tokens_valid_from = timezone.now()
            person.save(update_fields=["tokens_valid_from"])
        trail.record(
            actor=trail.OPERATOR,
            action="factor.reset" if is_factor_reset else "login.unlocked",
            object_type="user",
            object_id=person.id,
        )
    return person


def unlock_address(*, address: str, reason: str, principal: Principal) -> None:
    """Let everybody at an address try to log in again now. Refuses with PermissionDenied and InvalidInput."""
    staff_member(principal=principal, permission=MAY_MANAGE)
    _require(reason)
    subject = login_attempts.address_subject(address)
    if not subject:
        raise InvalidInput("This is no address.", field="address")
    with transaction.atomic():
        login_attempts.forgive(account=subject)
        trail.record(
            actor=principal.name,
            action="login.unlocked",
            object_type="login_address",
            object_id=subject.removeprefix("address:"),
            from_state="locked",
            to_state="open",
            reason=reason,
        )


def _others(staff_id: UUID, reason: str, principal: Principal) -> User:
    """Lock a colleague's row for a change by somebody who may make it."""
    staff_member(principal=principal, permission=MAY_MANAGE)
    _require(reason)
    if staff_id == principal.id:
        raise OwnAccount
    # All of those who might be the last one are locked, in the order of their ids, before anybody is changed.
    list(_admins().values_list("id"))
    person = User.objects.select_for_update().filter(id=staff_id, role__in=STAFF_ROLES).first()
    if person is None:
        raise NotFound("There is no such member of staff.")
    return person


def _keep_an_admin(person: User) -> None:
    if person.role == Role.ADMIN and not _admins().exclude(id=person.id).exists():
        raise LastAdmin


def _admins() -> QuerySet[User]:
    return User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("id")


def _require(reason: str) -> None:
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidInput(f"Say why, in up to {LONGEST_REASON} characters.", field="reason")


def _record(person: User, action: str, principal: Principal, reason: str, **facts: Any) -> None:
    trail.record(
        actor=principal.name, action=action, object_type="user", object_id=person.id, reason=reason, **facts
    )
