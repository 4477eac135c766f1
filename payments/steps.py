"""The named moments of a charge and of a refund: between any two effects, on our books or on a processor's, there is one.

A process may die at each of them, and tests make it: whatever had happened by then, reconciliation finds each
cent once. In production nobody listens.
"""

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """What has just happened, in the order in which it does."""

    CARD_KEPT = "card_kept"
    OPENED = "opened"
    SOURCE_REVEALED = "source_revealed"
    CHARGE_ANSWERED = "charge_answered"
    SETTLED = "settled"
    CLAIMED = "claimed"
    ACTION_OVERDUE = "action_overdue"
    OUTCOME_FOUND = "outcome_found"
    RECONCILED = "reconciled"
    OCCASION_TAKEN = "occasion_taken"
    OCCASION_CONCLUDED = "occasion_concluded"
    REFUND_CLAIMED = "refund_claimed"
    REFUND_BEGUN = "refund_begun"
    REFUND_LOOKED_UP = "refund_looked_up"
    REFUND_ANSWERED = "refund_answered"
    REFUND_SETTLED = "refund_settled"
    RECHECK_CLAIMED = "recheck_claimed"
    RECHECK_ANSWERED = "recheck_answered"
    RECHECKED = "rechecked"


TOP_UP_STEPS = (Step.OPENED, Step.SOURCE_REVEALED, Step.CHARGE_ANSWERED, Step.SETTLED)
PHONE_STEPS = (Step.CARD_KEPT, *TOP_UP_STEPS)
RECONCILIATION_STEPS = (Step.CLAIMED, Step.OUTCOME_FOUND, Step.RECONCILED)
ACTION_STEPS = (Step.CLAIMED, Step.ACTION_OVERDUE, Step.OUTCOME_FOUND, Step.RECONCILED)
AUTO_TOP_UP_STEPS = (Step.OCCASION_TAKEN, *TOP_UP_STEPS, Step.OCCASION_CONCLUDED)
REFUND_STEPS = (Step.REFUND_CLAIMED, Step.REFUND_BEGUN, Step.REFUND_ANSWERED, Step.REFUND_SETTLED)
RESUMED_REFUND_STEPS = (
    Step.REFUND_CLAIMED,
    Step.REFUND_BEGUN,
    Step.REFUND_LOOKED_UP,
    Step.REFUND_ANSWERED,
    Step.REFUND_SETTLED,
)
RECHECK_STEPS = (Step.RECHECK_CLAIMED, Step.RECHECK_ANSWERED, Step.RECHECKED)

listeners: list[Callable[[Step], None]] = []
"""Called with each step as it is reached."""


def reached(step: Step) -> None:
    """Tell that a step has been reached."""
    for listener in listeners:
        listener(step)
