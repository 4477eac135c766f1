"""All explorers, by name."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.urls import reverse
from django.utils.functional import Promise

from backoffice.explorers.book import TRANSACTIONS, TRANSFERS
from backoffice.explorers.charges import PAYMENT_SESSIONS, PAYMENTS, PROVIDER_EVENTS
from backoffice.explorers.narrowing import Explorer
from backoffice.explorers.set_aside import CARDS, HOLDS
from backoffice.explorers.top_ups import TOP_UP_FAILURES, TOP_UP_RULES, TOP_UP_SCHEDULES
from users.models import User

EXPLORERS: Final[dict[str, Explorer]] = {
    explorer.name: explorer
    for explorer in (
        TRANSACTIONS,
        TRANSFERS,
        PAYMENTS,
        PROVIDER_EVENTS,
        PAYMENT_SESSIONS,
        TOP_UP_RULES,
        TOP_UP_SCHEDULES,
        TOP_UP_FAILURES,
        HOLDS,
        CARDS,
    )
}


def explorer_for(person: User, name: str) -> Explorer | None:
    """Give an explorer that the person may read; None where there is none of that name, or none for them."""
    explorer = EXPLORERS.get(name)
    return explorer if explorer is not None and person.may(explorer.permission) else None


def lists_about(person: User, *, field: str, key: UUID) -> Sequence[tuple[str | Promise, str]]:
    """Give title and address of each list that the person may read, narrowed to one wallet or customer.

    `field` is what those lists call it: `wallet_id` or `user_id`.
    """
    return [
        (explorer.title, f"{reverse(f'backoffice:{explorer.name}')}?{field}={key}")
        for explorer in EXPLORERS.values()
        if field in explorer.form.base_fields and person.may(explorer.permission)
    ]
