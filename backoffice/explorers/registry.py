"""All explorers, by name."""

from typing import Final

from backoffice.explorers.book import TRANSACTIONS, TRANSFERS
from backoffice.explorers.charges import PAYMENT_SESSIONS, PAYMENTS, PROVIDER_EVENTS
from backoffice.explorers.narrowing import Explorer
from users.models import User

EXPLORERS: Final[dict[str, Explorer]] = {
    explorer.name: explorer
    for explorer in (
        TRANSACTIONS,
        TRANSFERS,
        PAYMENTS,
        PROVIDER_EVENTS,
        PAYMENT_SESSIONS,
    )
}


def explorer_for(person: User, name: str) -> Explorer | None:
    """Give an explorer that the person may read; None where there is none of that name, or none for them."""
    explorer = EXPLORERS.get(name)
    return explorer if explorer is not None and person.may(explorer.permission) else None
