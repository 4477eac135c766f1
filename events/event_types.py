"""The types of events that clients may choose from: the API's closed list, in its order."""

from typing import Final

BATCH_KIND: Final = "transfer.batch"
"""No type of event but a kind of outbox entry: several transfers of one batch, which `events.expansion` takes apart."""

EVENT_TYPES: Final = (
    "wallet.created",
    "wallet.updated",
    "wallet.suspended",
    "wallet.reactivated",
    "wallet.closed",
    "wallet.balance_changed",
    "wallet.balance_low",
    "transaction.created",
    "transaction.completed",
    "transaction.failed",
    "transfer.completed",
    "payment.succeeded",
    "payment.failed",
    "payment.disputed",
    "hold.created",
    "hold.captured",
    "hold.voided",
    "hold.expired",
    "top_up.succeeded",
    "top_up.failed",
    "top_up.disabled",
    "refund.created",
    "refund.approved",
    "refund.rejected",
    "refund.completed",
    "refund.failed",
    "token.created",
    "token.deleted",
)

ALL: Final = "*"
"""What an endpoint chooses that wants every type, those of later versions too."""
