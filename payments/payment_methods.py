"""A wallet's payment methods: saved cards, what their owner agreed to, and the one meant when none is named.

Written under the wallet's lock, after the card's. A card that was deleted is no payment method any more: its row
is passed over by readers, and goes with the next change of the wallet's methods.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from events import audit
from events.clock import now
from payments.models import SavedMethod
from payments.top_up_rules import lock_rule, stop_for_card
from tokens.consent import record_consent
from tokens.models import DELETED
from tokens.queries import token_within
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.refusals import NotFound
from wallets.locks import LockedWallet, lock_wallet
from wallets.queries import wallet_by_id
from wallets.refusals import WalletClosed


def add_method(
    *,
    wallet_id: UUID,
    owner_id: UUID | None,
    token_id: UUID,
    actor: str,
    call: KeyedCall,
    consent_text: str = "",
) -> Answer:
    """Make a saved card a payment method of a wallet; `call.render` is given the SavedMethod.

    The words that the customer agreed to are kept with the card, with their time: `consent_text`, or our own where
    it is empty. The first method becomes the default; one that is there already stays as it is. Refuses with
    NotFound, TokenDeleted and WalletClosed.
    """

    def effect() -> Answer:
        seen = wallet_by_id(wallet_id, owner_id=owner_id)
        if seen is None:
            raise NotFound("There is no such wallet.")
        # A card of somebody else's is not found; the lock comes before the wallet's.
        token_within(token_id=token_id, owner_id=seen.user_id, lock=True)
        wallet = lock_wallet(wallet_id, owner_id=owner_id)
        return store(call, attach(wallet=wallet, token_id=token_id, actor=actor, consent_text=consent_text))

    return once(call, effect)


def attach(*, wallet: LockedWallet, token_id: UUID, actor: str, consent_text: str = "") -> SavedMethod:
    """Make a card of the wallet's owner a payment method, in the transaction under way that holds both locks.

    Refuses with NotFound, TokenDeleted and WalletClosed.
    """
    if wallet.status == "closed":
        raise WalletClosed
    methods = _tidied(wallet.id)
    found = next((method for method in methods if method.token_id == token_id), None)
    if found is not None:
        return found
    token = record_consent(
        token_id=token_id, owner_id=wallet.user_id, text=consent_text or standard_consent(), actor=actor
    )
    method = SavedMethod(wallet_id=wallet.id, token=token, is_default=not methods, created_at=now())
    method.save(force_insert=True)
    _record("added", method, actor=actor)
    return method


def remove_method(
    *, wallet_id: UUID, owner_id: UUID | None, token_id: UUID, actor: str, call: KeyedCall
) -> Answer:
    """Take a card off a wallet; the card itself stays saved. `call.render` is given the SavedMethod.

    The oldest that remains becomes the default where the default goes, and an automatic top-up that charges the
    card is switched off: its owner doesn't expect that any more. Refuses with NotFound.
    """

    def effect() -> Answer:
        rule = lock_rule(wallet_id)
        lock_wallet(wallet_id, owner_id=owner_id)
        methods = _tidied(wallet_id)
        method = _named(methods, token_id)
        SavedMethod.objects.filter(id=method.id).delete()
        _record("removed", method, actor=actor)
        remaining = [other for other in methods if other is not method]
        if method.is_default and remaining:
            _set_default(remaining[0], actor=actor)
        if rule is not None and rule.is_enabled and rule.token_id == token_id:
            stop_for_card(rule, actor=actor)
        return store(call, method)

    return once(call, effect)


def make_default(
    *, wallet_id: UUID, owner_id: UUID | None, token_id: UUID, actor: str, call: KeyedCall
) -> Answer:
    """Make one of a wallet's methods its default; `call.render` is given the SavedMethod. Refuses with NotFound."""

    def effect() -> Answer:
        lock_wallet(wallet_id, owner_id=owner_id)
        method = _named(_tidied(wallet_id), token_id)
        if not method.is_default:
            SavedMethod.objects.filter(wallet_id=wallet_id, is_default=True).update(is_default=False)
            _set_default(method, actor=actor)
        return store(call, method)

    return once(call, effect)


def methods_of(wallet_id: UUID) -> QuerySet[SavedMethod]:
    """Give a wallet's methods whose cards are not deleted."""
    return (
        SavedMethod.objects.filter(wallet_id=wallet_id).exclude(token__status=DELETED).select_related("token")
    )


def default_of(wallet_id: UUID) -> UUID | None:
    """Tell the token of a wallet's default method: the one marked, or where that card was deleted, the oldest."""
    return methods_of(wallet_id).order_by("-is_default", "id").values_list("token_id", flat=True).first()


def standard_consent() -> str:
    """Give the words that stand for a customer's consent where the client brings none of its own."""
    return (
        f"{settings.MERCHANT_NAME} may keep this card and charge it when I add money, and for the automatic top-ups"
        " that I set up, until I remove it."
    )


def shown(method: SavedMethod, *, default: UUID | None, at: datetime) -> dict[str, Any]:
    """Tell all that may be shown of a method; `default` is the token of the wallet's default."""
    token = method.token
    return {
        "token_id": token.id,
        "type": token.type,
        "brand": token.brand,
        "last4": token.last4,
        "exp_month": token.exp_month,
        "exp_year": token.exp_year,
        "status": token.status_at(at),
        "is_default": token.id == default,
        "created_at": method.created_at,
    }


def _tidied(wallet_id: UUID) -> list[SavedMethod]:
    """Drop the methods whose card was deleted, see that the rest has a default, and give it, oldest first."""
    gone = SavedMethod.objects.filter(wallet_id=wallet_id, token__status=DELETED).values_list("id", flat=True)
    SavedMethod.objects.filter(id__in=list(gone)).delete()
    methods = list(methods_of(wallet_id).order_by("id"))
    if methods and not any(method.is_default for method in methods):
        _mark(methods[0])
    return methods


def _named(methods: Sequence[SavedMethod], token_id: UUID) -> SavedMethod:
    for method in methods:
        if method.token_id == token_id:
            return method
    raise NotFound("There is no such payment method.")


def _set_default(method: SavedMethod, *, actor: str) -> None:
    _mark(method)
    _record("made_default", method, actor=actor)


def _mark(method: SavedMethod) -> None:
    method.is_default = True
    method.save(update_fields=["is_default"])


def _record(change: str, method: SavedMethod, *, actor: str) -> None:
    audit.record(
        actor=actor,
        action=f"payment_method.{change}",
        object_type="wallet",
        object_id=method.wallet_id,
        after={"token_id": str(method.token_id)},
    )
