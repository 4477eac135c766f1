"""The two sides of a refund in the book: pending from the request on, then completed, given up, or taken back."""

from collections.abc import Sequence
from uuid import UUID

from payments.models import Payment, Refund
from payments.refund_traces import record_line
from transactions import chart, ledger
from transactions.accounts import Account
from transactions.models import LineType, PostingStatus, TransferKind
from transactions.movements import Entry, Movement
from transactions.queries import load_movement
from wallets.locks import lock_wallets


def refund_entries(wallet: Account, amount: int, payment: Payment | None) -> Sequence[Entry]:
    """Give the sides of a refund of minor units: from the wallet to a charge's processor, or to it from the merchant."""
    if payment is not None:
        outside = chart.settlement(processor=payment.processor, currency=wallet.currency)
        signed = -amount
    else:
        outside = chart.merchant(currency=wallet.currency)
        signed = amount
    return (Entry(wallet, signed, LineType.REFUND), Entry(outside, -signed, LineType.REFUND))


def settle(refund: Refund, *, actor: str) -> None:
    """Complete a locked refund's movement, whatever the wallet's state is by now."""
    movement = pending_movement(refund)
    ledger.settle(movement, _locked_accounts(refund))
    record_line(movement.line_of(refund.wallet_id).id, to=PostingStatus.COMPLETED, actor=actor)


def release(refund: Refund, *, status: PostingStatus, actor: str, failure_code: str = "") -> None:
    """Give a locked refund's movement up: `failed` or `cancelled`; what it held on the wallet is free again."""
    movement = pending_movement(refund)
    ledger.release(movement, _locked_accounts(refund), status=status, failure_code=failure_code)
    record_line(movement.line_of(refund.wallet_id).id, to=status, actor=actor, reason=failure_code)


def take_back(refund: Refund, *, actor: str) -> Movement:
    """Post the opposite of a locked refund that was completed and came back from the bank."""
    original = pending_movement(refund)
    movement = Movement(
        kind=TransferKind.REVERSAL,
        actor=actor,
        description=original.description,
        reference=original.reference,
        payment_id=refund.payment_id,
    )
    return ledger.reverse(original, movement, _locked_accounts(refund))


def pending_movement(refund: Refund) -> Movement:
    """Load the movement that a refund was opened with."""
    movement = load_movement(refund.transfer_id) if refund.transfer_id is not None else None
    if movement is None:
        raise LookupError(f"refund {refund.id} has no transfer {refund.transfer_id}")
    return movement


def _locked_accounts(refund: Refund) -> dict[UUID, Account]:
    return {**lock_wallets([refund.wallet_id])}
