"""From a form of the back office to the call of a use case that happens once, however often the form is sent."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from uuid_utils.compat import uuid7

from transactions.idempotency import Answer, KeyedCall
from transactions.refusals import Refusal
from users.principals import Principal
from users.refusals import Refusal as PersonRefusal

LONGEST_REASON: Final = 500
MOST_AT_ONCE: Final = 100
"""How many rows one form may decide on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one row: nothing in `refusal` where it was done, otherwise why it wasn't."""

    key: object
    refusal: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it was done."""
        return not self.refusal


def new_form_key() -> str:
    """Give the key that a page hides in its form."""
    return str(uuid7())


def form_call(request: HttpRequest, principal: Principal, *about: object) -> KeyedCall:
    """Make the call of a form's action on `about` (what is done, and the object's id): once for each form shown.

    Without a key, or with one that no page has given, the state of the object alone keeps it from happening twice.
    """
    form_key = uuid_or_none(request.POST.get("key", ""))
    key = f"backoffice:{form_key}:{':'.join(map(str, about))}" if form_key else ""
    described = f"{key}\n{reason_in(request)}".encode()
    return KeyedCall(
        principal=principal.name,
        key=key,
        fingerprint=hmac.digest(settings.SECRET_KEY.encode(), described, hashlib.sha256),
        render=_done,
        show=lambda _resource: b"{}",
    )


def _done(result: Any) -> Answer:
    key = result.pk if isinstance(result, Model) else result.id
    return Answer(200, b"{}", f"{type(result).__name__.lower()}:{key}")


def outcome_of(key: object, act: Callable[[], object]) -> Outcome:
    """Do one thing by its use case; an expected "no" becomes the outcome."""
    try:
        act()
    except (Refusal, PersonRefusal) as refused:
        return Outcome(key, refused.detail)
    return Outcome(key)


def reason_in(request: HttpRequest) -> str:
    """Read the reason that was written; nothing where it is missing, too long, or no text."""
    reason = request.POST.get("reason", "").strip()
    return "" if "\0" in reason or len(reason) > LONGEST_REASON else reason


def chosen_in(request: HttpRequest) -> list[UUID]:
    """Read the ids of the rows that were marked, each once, in their order; what is no id is left out."""
    chosen = map(uuid_or_none, request.POST.getlist("chosen")[:MOST_AT_ONCE])
    return list(dict.fromkeys(object_id for object_id in chosen if object_id is not None))


def uuid_or_none(text: str) -> UUID | None:
    """Read an id; None where it isn't one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def date_or_none(text: str) -> date | None:
    """Read a day as `2026-11-05`; None where it isn't one."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def back_to(request: HttpRequest, default: str) -> HttpResponseRedirect:
    """Lead back to where the form was shown."""
    came_from = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(came_from, allowed_hosts=None):
        came_from = default
    return HttpResponseRedirect(came_from)
