"""Use cases of saved cards: save, look whether one is still good, delete. Idempotent by the caller's key."""

from collections.abc import Callable
from uuid import UUID

from uuid_utils.compat import uuid7

from events import audit, outbox
from events.clock import now
from tokens.cards import checked_card
from tokens.fingerprints import card_fingerprint, reference_digest, vault_fingerprint
from tokens.models import DELETED, EXPIRED, PaymentToken
from tokens.queries import shown, token_within
from tokens.vault_items import claim_item, destroy_vault_item, discard_item, reference_of
from tokens.vaults.contract import MobilePayload, VaultedInstrument
from tokens.vaults.registry import vault_in_use, vault_of
from transactions.idempotency import Answer, KeyedCall, once, replay, store
from transactions.refusals import NotFound
from users.models import User
from users.roles import Role
from users.sealing import seal


def tokenize_card(
    *,
    owner_id: UUID,
    number: str,
    exp_month: int,
    exp_year: int,
    cvc: str,
    holder: str,
    actor: str,
    call: KeyedCall,
) -> Answer:
    """Save a card of a customer in the vault in use; `call.render` is given the PaymentToken.

    The security code is checked for its form and forgotten. The vault is called outside of any database
    transaction; when the token then can't be written, or another call with the same key was first, the item is
    destroyed again. Refuses with InvalidInput (naming the field), NotFound (no such customer), the refusals of
    keys, and VaultFailed.
    """
    at = now()
    first = replay(call)
    if first is not None:
        return first
    card = checked_card(number=number, exp_month=exp_month, exp_year=exp_year, cvc=cvc, holder=holder, now=at)
    _require_customer(owner_id)
    vault = vault_in_use()
    token_id = uuid7()
    item = vault.store_card(token_id=token_id, card=card, now=at)
    token = _described(token_id, owner_id, PaymentToken.Type.CARD, vault.name, item)
    token.fingerprint = card_fingerprint(number=card.number)
    token.created_at = at
    return _written_once(token, actor=actor, call=call)


def tokenize_mobile(
    *,
    owner_id: UUID,
    payload: MobilePayload,
    actor: str,
    call: KeyedCall,
    claim: Callable[[], None] | None = None,
) -> Answer:
    """Save the card of a customer's phone in the vault in use; `call.render` is given the PaymentToken.

    `payload` has been verified. `claim` runs first in the transaction that writes the token: what it refuses (a
    payload that was used before) leaves no token and no item. Refuses as `keep_mobile`, `claim` and keys do.
    """
    first = replay(call)
    if first is not None:
        return first
    token = keep_mobile(owner_id=owner_id, payload=payload)
    return _written_once(token, actor=actor, call=call, claim=claim)


def keep_mobile(*, owner_id: UUID, payload: MobilePayload) -> PaymentToken:
    """Put the card of a customer's phone into the vault in use, and make its token, which isn't written yet.

    Called outside of any database transaction. The caller gives the token to `write_kept` in its own transaction,
    and to `discard_kept` after a transaction that failed. Refuses with InvalidInput (field `payment_data`),
    NotFound (no such customer) and VaultFailed.
    """
    _require_customer(owner_id)
    at = now()
    vault = vault_in_use()
    token_id = uuid7()
    item = vault.store_mobile(token_id=token_id, payload=payload, now=at)
    token = _described(token_id, owner_id, PaymentToken.Type(payload.scheme), vault.name, item)
    if payload.device_card is not None:
        token.fingerprint = card_fingerprint(number=payload.device_card.number)
    else:
        # A vault that recognises nothing gives a fingerprint that no other card has.
        token.fingerprint = vault_fingerprint(provider=vault.name, fingerprint=item.fingerprint or item.ref)
    token.created_at = at
    return token


def write_kept(token: PaymentToken, *, actor: str, is_saved: bool = True) -> None:
    """Write a token that `keep_mobile` made, its event and its audit entry, in the transaction under way.

    Without `is_saved` the token stands for one payment alone: it is deleted from the start, so that nobody sees
    or charges it, its row tells what was charged, and the caller destroys its item (`destroy_vault_item`) once it
    has been; an hour later the sweep does. Refuses with VaultUnavailable when the item that it stands for is being
    destroyed with another token.
    """
    claim_item(token)
    if is_saved:
        token.save(force_insert=True)
        _record("token.created", token, actor=actor, from_state="", to_state=token.status)
        return
    token.status, token.deleted_at = DELETED, token.created_at
    token.save(force_insert=True)
    _record("token.used_once", token, actor=actor, from_state="", to_state=token.status)


def discard_kept(token: PaymentToken) -> None:
    """Destroy the item of a token that was not written, unless an older token has the same reference."""
    discard_item(token)


def validate_token(*, token_id: UUID, owner_id: UUID | None, actor: str, call: KeyedCall) -> Answer:
    """Ask the vault whether a token can still be charged; `call.render` is given the token as it reads then.

    A token whose item the vault no longer has, or no longer lets be charged, becomes `expired`. Refuses with
    NotFound, TokenDeleted, the refusals of keys, and VaultFailed.
    """
    first = replay(call)
    if first is not None:
        return first
    token = token_within(token_id=token_id, owner_id=owner_id)
    usable = vault_of(token.provider).is_usable(ref=reference_of(token))

    def write() -> Answer:
        locked = token_within(token_id=token_id, owner_id=owner_id, lock=True)
        if not usable and locked.status != EXPIRED:
            _record("token.expired", locked, actor=actor, from_state=locked.status, to_state=EXPIRED)
            locked.status = EXPIRED
            locked.save(update_fields=["status"])
        else:
            _record("token.validated", locked, actor=actor, from_state=locked.status, to_state=locked.status)
        return store(call, locked)

    return once(call, write)


def delete_token(*, token_id: UUID, owner_id: UUID | None, actor: str, call: KeyedCall) -> Answer:
    """Delete a token for good and destroy its item in the vault; `call.render` is given the token.

    The token's row stays, for the payments that were made with it. When the vault can't be reached the item is
    destroyed by the sweep. Refuses with NotFound, TokenDeleted and the refusals of keys.
    """

    def write() -> Answer:
        token = token_within(token_id=token_id, owner_id=owner_id, lock=True)
        before = token.status
        token.status = DELETED
        token.deleted_at = now()
        token.save(update_fields=["status", "deleted_at"])
        _record("token.deleted", token, actor=actor, from_state=before, to_state=DELETED)
        return store(call, token)

    answer = once(call, write)
    if not answer.replayed:
        destroy_vault_item(token=PaymentToken.objects.get(id=token_id))
    return answer


def _require_customer(owner_id: UUID) -> None:
    if not User.objects.filter(id=owner_id, role=Role.USER).exists():
        raise NotFound("There is no such customer.", field="user_id")


def _written_once(
    token: PaymentToken, *, actor: str, call: KeyedCall, claim: Callable[[], None] | None = None
) -> Answer:
    """Write a token under the call's key; its item is destroyed again when it wasn't this call that wrote one."""

    def write() -> Answer:
        if claim is not None:
            claim()
        write_kept(token, actor=actor)
        return store(call, token)

    written = False
    try:
        answer = once(call, write)
        written = not answer.replayed
    finally:
        if not written:
            discard_kept(token)
    return answer


def _described(
    token_id: UUID, owner_id: UUID, kind: PaymentToken.Type, provider: str, item: VaultedInstrument
) -> PaymentToken:
    """Make the row of a new token from what its vault tells of the item, with the reference sealed."""
    table = PaymentToken._meta.db_table
    return PaymentToken(
        id=token_id,
        user_id=owner_id,
        type=kind,
        brand=item.brand,
        last4=item.last4,
        exp_month=item.exp_month,
        exp_year=item.exp_year,
        provider=provider,
        provider_ref=seal(item.ref.encode(), table=table, column="provider_ref", row_id=token_id),
        provider_ref_hmac=reference_digest(provider=provider, ref=item.ref),
    )


def _record(kind: str, token: PaymentToken, *, actor: str, from_state: str, to_state: str) -> None:
    """Write the audit entry of a change, and its event where the API has one of that type."""
    audit.record(
        actor=actor,
        action=kind,
        object_type="token",
        object_id=token.id,
        from_state=from_state,
        to_state=to_state,
    )
    if kind in ("token.created", "token.deleted"):
        facts = shown(token, at=now())
        created_at = token.created_at.isoformat().replace("+00:00", "Z")
        outbox.record(kind, {**facts, "created_at": created_at, "user_id": token.user_id})
