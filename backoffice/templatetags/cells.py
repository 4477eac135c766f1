"""How things look in templates: `{% load cells %}`. The same cells stand in Django's own screens."""

from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from backoffice.personal_data import person_shown
from backoffice.top_up_reasons import REASONS
from events.clock import now
from payments.models import AutoTopUp
from payments.schedules import schedule_of
from payments.top_up_rules import next_look_at, state_of
from transactions.amount_cells import amount_cell, amounts_moved
from transactions.models import Transfer
from users import staff_screens
from users.masking import masked_email
from users.models import User

register = template.Library()


@register.filter
def amount(minor_units: int | None, currency: str) -> SafeString:
    """`{{ line.amount|amount:line.currency }}`: thousands apart, the currency's digits, the currency beside it."""
    return staff_screens.NOTHING if minor_units is None else amount_cell(minor_units, currency)


@register.filter
def signed_amount(minor_units: int | None, currency: str) -> SafeString:
    """The same, with a plus for money in and colour for the direction."""
    if minor_units is None:
        return staff_screens.NOTHING
    return amount_cell(minor_units, currency, with_sign=True)


@register.filter
def moment(when: datetime | str | None) -> SafeString:
    """`{{ payment.created_at|moment }}`: in the session's time zone, UTC to the microsecond on hovering.

    A moment out of a JSON document is one as well.
    """
    if not when:
        return staff_screens.NOTHING
    return staff_screens.moment(datetime.fromisoformat(when) if isinstance(when, str) else when)


@register.filter
def age(when: datetime, until: datetime | None = None) -> str:
    """`{{ refund.created_at|age }}`: how long ago it was by the clock that money goes by, or how long until then."""
    return timesince(when, until or now())


@register.filter
def state(status: str) -> SafeString:
    """`{{ refund.status|state }}`: a coloured label that also says it."""
    return staff_screens.state(status)


@register.filter
def status_now(row: Any) -> str:
    """`{{ session|status_now|state }}`: the status as it reads at this moment, whether or not a sweep has run."""
    status: str = row.status_at(now())
    return status


@register.filter
def rule_state(rule: AutoTopUp) -> str:
    """`{{ rule|rule_state|state }}`: how an automatic top-up stands."""
    return state_of(rule)


@register.filter
def next_look(rule: AutoTopUp) -> datetime | None:
    """`{{ rule|next_look|moment }}`: when an automatic top-up is looked at next."""
    return next_look_at(rule)


@register.filter
def schedule(shown: dict[str, Any] | None) -> str:
    """`{{ rule.schedule|schedule }}`: the days of an automatic top-up, in words."""
    found = schedule_of(shown)
    return "" if found is None else str(found)


@register.filter
def top_up_reason(reason: str) -> str:
    """`{{ entry.reason|top_up_reason }}`: why a rule didn't charge; a code of the card's bank stays what it is."""
    return str(REASONS.get(reason, reason))


@register.filter
def masked(email: str) -> str:
    """`{{ row.user.email|masked }}`: an address as lists show it; who it is, the customer's own page tells."""
    return masked_email(email)


@register.filter
def actor(name: str) -> SafeString:
    """`{{ entry.actor|actor }}`: who did it, `role:id` or the system's own name, linked to the person."""
    return staff_screens.actor(name)


@register.filter
def moved(transfer: Transfer) -> SafeString:
    """`{{ transfer|moved }}`: how much a movement moves, whose lines have been read with their accounts."""
    return amounts_moved(transfer)


@register.simple_tag(takes_context=True)
def email_of(context: template.Context, person: User) -> object:
    """`{% email_of refund.wallet.user %}`: a customer's address as this session may see it."""
    return person_shown(context["request"], person)["email"]


@register.simple_tag
def colleague(key: object) -> SafeString:
    """`{% colleague refund.decided_by %}`: one of the staff by name, anybody else by id; linked to their page."""
    return staff_screens.colleague(key)


@register.simple_tag
def identifier(value: object, url: str = "", *, of: str = "") -> SafeString:
    """`{% identifier refund.id url %}`: an id by its ends, whole on hovering, with a button that copies it.

    `{% identifier refund.wallet_id of="wallets.wallet" %}` links it to the page of that wallet.
    """
    return staff_screens.identifier(value, url=staff_screens.screen_url(of, value) if of else url)
