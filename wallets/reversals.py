"""Taking a completed movement back: once, linked, and never by changing what stands in the book."""

from uuid import UUID

from django.db import IntegrityError, transaction

from events import audit
from transactions import ledger
from transactions.idempotency import Answer, KeyedCall, once
from transactions.models import PostingStatus, TransferKind
from transactions.movements import Movement
from transactions.prepared import run
from transactions.queries import line_by_id, load_movement
from transactions.refusals import AlreadyRefunded, AlreadyReversed, NotFound, NotReversible
from wallets.locks import lock_wallets
from wallets.models import WalletStatus
from wallets.refusals import WalletClosed

REVERSIBLE = frozenset({TransferKind.PAYMENT, TransferKind.TRANSFER, TransferKind.FEE})
"""What can be taken back here. Money that came from a card goes back by a refund, through its processor; what two
people have decided, an adjustment, is taken back by another one."""


def reverse_transaction(*, line_id: UUID, reason: str, actor: str, call: KeyedCall) -> Answer:
    """Post the opposite of the transfer that a wallet's line belongs to; suspended wallets take it too.

    `call.render` is given the Movement and the id of the account whose line was named.

    Refuses with NotFound, AlreadyReversed, AlreadyRefunded (in part is enough), WalletClosed, NotReversible, and InsufficientFunds when what came in
    has been spent, in that order.
    """

    def effect() -> Answer:
        line = line_by_id(line_id, owner_id=None)
        original = load_movement(line.transfer_id) if line is not None else None
        if line is None or original is None:
            raise NotFound
        wallets = lock_wallets({part.account_id for part in original.lines if not part.rolled_up})
        taken_back = run(
            "SELECT 1 FROM transactions_transfer WHERE reverses = %s AND status IN ('pending', 'completed')",
            (original.id,),
        )
        if taken_back:
            raise AlreadyReversed
        given_back = run(
            "SELECT 1 FROM transactions_transfer WHERE refund_of = ANY(%s::uuid[])"
            " AND status IN ('pending', 'completed')",
            ([part.id for part in original.lines],),
        )
        if given_back:
            raise AlreadyRefunded
        if any(wallet.status == WalletStatus.CLOSED for wallet in wallets.values()):
            raise WalletClosed
        if original.kind not in REVERSIBLE or original.status is not PostingStatus.COMPLETED:
            raise NotReversible
        movement = Movement(
            kind=TransferKind.REVERSAL, actor=actor, description=reason, reference=original.reference
        )
        shown = KeyedCall(
            principal=call.principal,
            key=call.key,
            fingerprint=call.fingerprint,
            render=lambda posted: call.render((posted, line.account_id)),
            show=call.show,
        )
        try:
            with transaction.atomic():
                answer = ledger.reverse(original, movement, dict(wallets), call=shown).stored_answer
        except IntegrityError as error:
            if "transfer_reversed_once" in str(error):
                raise AlreadyReversed from error
            raise
        audit.record(
            actor=actor,
            action="transaction.reversed",
            object_type="transfer",
            object_id=original.id,
            reason=reason,
            after={"reversed_by": str(movement.id)},
        )
        return answer

    return once(call, effect)
