"""Who a customer is stays masked until somebody says why they have to know; each time is in the audit trail."""

import time
from uuid import UUID

from django.http import HttpRequest

from events import audit
from transactions.refusals import InvalidInput
from users.customers import customer
from users.masking import masked_email, masked_name
from users.models import User
from users.staff_screens import principal_of

SHOWN_FOR_S = 600
_SESSION_KEY = "revealed_until"


def reveal(request: HttpRequest, *, customer_id: UUID, reason: str) -> None:
    """Show a customer's personal data in this session for ten minutes, and record who looked and why.

    Refuses with NotFound, and with InvalidInput where no reason is given.
    """
    customer(customer_id)
    if not reason:
        raise InvalidInput("Say why you have to know.", field="reason")
    audit.record(
        actor=principal_of(request).name,
        action="user.revealed",
        object_type="user",
        object_id=customer_id,
        reason=reason,
    )
    now_s = time.time()
    kept = {key: until for key, until in request.session.get(_SESSION_KEY, {}).items() if until > now_s}
    request.session[_SESSION_KEY] = {**kept, str(customer_id): now_s + SHOWN_FOR_S}


def is_revealed(request: HttpRequest, customer_id: UUID) -> bool:
    """Tell whether this session may see who the customer is."""
    until: float = request.session.get(_SESSION_KEY, {}).get(str(customer_id), 0.0)
    return until > time.time()


def person_shown(request: HttpRequest, one: User) -> dict[str, object]:
    """Give a customer's name and address as this session may see them."""
    revealed = is_revealed(request, one.id)
    return {
        "is_revealed": revealed,
        "email": one.email if revealed else masked_email(one.email),
        "name": one.name if revealed else masked_name(one.name),
    }
