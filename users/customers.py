"""Customers as staff look after them: found, corrected, switched off and on, signed out everywhere.

Members of staff are none: whoever may look after customers can't lock a colleague out.
"""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from users import standing, trail
from users.models import User
from users.refusals import InvalidInput, NotFound
from users.registration import faults_of_email
from users.roles import Role
from users.standing import ACTIVE, INACTIVE

LONGEST_NAME = 120
CORRECTABLE = ("email", "name")


def customers(*, email: str | None = None, status: str | None = None) -> QuerySet[User]:
    """Give the customers that fit, in no order yet; `status` is `active` or `inactive`."""
    found = User.objects.filter(role=Role.USER)
    if email is not None:
        found = found.filter(email=email.strip().lower())
    if status is not None:
        found = found.filter(is_active=status == ACTIVE)
    return found


def customer(customer_id: UUID) -> User:
    """Read one customer. Refuses with NotFound, members of staff too."""
    found = customers().filter(id=customer_id).first()
    if found is None:
        raise NotFound("There is no such customer.")
    return found


def as_shown(one: User) -> dict[str, Any]:
    """Give a customer's fields as the API names them."""
    return {
        "id": one.id,
        "email": one.email,
        "name": one.name,
        "status": ACTIVE if one.is_active else INACTIVE,
        "time_zone": one.time_zone,
        "locale": one.locale,
        "created_at": one.created_at,
        "sessions_valid_from": one.tokens_valid_from,
    }


def deactivate_customer(*, customer_id: UUID, actor: str, reason: str) -> User:
    """Switch a customer off: no log-in, no refresh. Refuses with NotFound."""
    with transaction.atomic():
        _locked(customer_id)
        standing.deactivate(user_id=customer_id, actor=actor, reason=reason)
        return customer(customer_id)


def reactivate_customer(*, customer_id: UUID, actor: str, reason: str) -> User:
    """Switch a customer on again; old sessions stay ended. Refuses with NotFound."""
    with transaction.atomic():
        _locked(customer_id)
        standing.reactivate(user_id=customer_id, actor=actor, reason=reason)
        return customer(customer_id)


def revoke_customers_sessions(*, customer_id: UUID, actor: str, reason: str) -> User:
    """End every session of a customer. Refuses with NotFound."""
    with transaction.atomic():
        _locked(customer_id)
        standing.revoke_sessions(user_id=customer_id, actor=actor, reason=reason)
        return customer(customer_id)


def correct_customer(
    *, customer_id: UUID, actor: str, reason: str, email: str | None = None, name: str | None = None
) -> User:
    """Correct a customer's e-mail address or name; None leaves one as it is.

    Another address ends all sessions: whoever was logged in by the old one shows that they know the password.
    Refuses with NotFound, and with InvalidInput a bad or taken address and a name that is too long.
    """
    try:
        with transaction.atomic():
            one = _locked(customer_id)
            before = {field: getattr(one, field) for field in CORRECTABLE}
            if email is not None:
                one.email = email.strip().lower()
                if errors := faults_of_email(one.email):
                    raise InvalidInput(errors=errors)
            if name is not None:
                one.name = name.strip()
                if len(one.name) > LONGEST_NAME:
                    raise InvalidInput(f"The name has at most {LONGEST_NAME} characters.", field="name")
            changed = {field: old for field, old in before.items() if getattr(one, field) != old}
            if not changed:
                return one
            if "email" in changed:
                one.tokens_valid_from = timezone.now()
            one.save(update_fields=[*changed, "tokens_valid_from"])
            trail.record(
                actor=actor,
                action="user.corrected",
                object_type="user",
                object_id=one.id,
                reason=reason,
                before=changed,
                after={field: getattr(one, field) for field in changed},
            )
            return one
    except IntegrityError as broken:
        if "user_email_unique" not in str(broken):
            raise
        raise InvalidInput(
            errors=[
                {"field": "email", "code": "taken", "detail": "This e-mail address is registered already."}
            ]
        ) from None


def _locked(customer_id: UUID) -> User:
    found = customers().select_for_update().filter(id=customer_id).first()
    if found is None:
        raise NotFound("There is no such customer.")
    return found
