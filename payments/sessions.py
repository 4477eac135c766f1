"""Payment sessions: what a customer is about to pay by Apple Pay or Google Pay, agreed on before the phone is asked.

Owner, wallet, amount and currency are the session's, never the later request's. The row decides that a session
pays once; it lives for 15 minutes, whether or not a sweep has run.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from uuid_utils.compat import uuid7

from events import audit, context
from events.clock import now, now_of
from payments.models import AutoTopUp, Payment, PaymentSession, PaymentStatus, SessionStatus
from payments.payment_requests import require_known_recipient, require_writable
from payments.processors.registry import processor_in_use
from payments.queries import amount_under_way
from payments.refusals import SchemeUnavailable, SessionConsumed, SessionExpired
from payments.schemes.registry import scheme_of
from payments.shown_sessions import keep_after_commit
from tokens.vaults.registry import vault_in_use
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.money import Money
from transactions.refusals import CurrencyMismatch, NotFound
from wallets.limits import require_room
from wallets.locks import lock_wallet

LIFETIME = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """The automatic top-up that a customer agrees to with a payment, in minor units of its currency."""

    threshold: int
    amount: int


def open_session(
    *,
    wallet_id: UUID,
    owner_id: UUID | None,
    scheme: str,
    amount: Money,
    actor: str,
    call: KeyedCall,
    reload: Reload | None = None,
) -> Answer:
    """Open a session of `scheme` for 15 minutes; `call.render` is given the PaymentSession.

    `amount` is positive minor units in the wallet's currency. Without a `reload` the wallet's own automatic top-up
    counts, where it has one that goes by a threshold. Refuses with NotFound, WalletSuspended, WalletClosed,
    SchemeUnavailable, CurrencyMismatch, LimitExceeded, and with InvalidInput (field `amount`) what the scheme or
    the processor can't write exactly.
    """
    is_available = scheme_of(scheme).is_available(decrypt=vault_in_use().needs_decrypted)

    def effect() -> Answer:
        agreed = reload or _rule_of(wallet_id)
        _require_exact(amount, agreed, scheme=scheme)
        wallet = lock_wallet(wallet_id, owner_id=owner_id)
        wallet.require_active()
        if not is_available:
            raise SchemeUnavailable
        require_known_recipient(scheme)
        if wallet.currency != amount.currency:
            raise CurrencyMismatch
        require_room(wallet, amount.amount + amount_under_way(wallet_id=wallet_id))
        at = now_of(wallet_id)
        session = PaymentSession(
            id=uuid7(),
            wallet_id=wallet_id,
            user_id=wallet.user_id,
            scheme=scheme,
            amount=amount.amount,
            currency=amount.currency,
            reload_threshold=agreed.threshold if agreed else None,
            reload_amount=agreed.amount if agreed else None,
            nonce=secrets.token_urlsafe(32),
            actor=actor,
            request_id=context.current().request_id,
            created_at=at,
            expires_at=at + LIFETIME,
        )
        session.save(force_insert=True)
        _record(session, before="", actor=actor)
        return store(call, session)

    return once(call, effect)


def cancel_session(*, session_id: UUID, owner_id: UUID | None, actor: str, call: KeyedCall) -> Answer:
    """Cancel an open session; one that is cancelled stays so. `call.render` is given the PaymentSession.

    Refuses with NotFound, SessionConsumed and SessionExpired.
    """

    def effect() -> Answer:
        session = session_within(session_id=session_id, owner_id=owner_id, lock=True)
        if session.status != SessionStatus.CANCELLED:
            require_usable(session)
            if session.status == SessionStatus.CONSUMED:
                raise SessionConsumed
            _close(session, SessionStatus.CANCELLED, actor=actor)
        return store(call, session)

    return once(call, effect)


def expire_due_sessions(*, wallet_id: UUID | None = None, limit: int = 500) -> int:
    """Write down the sessions whose time is over, of one wallet or of all, at most `limit`; tell how many.

    Nobody waits for it: a session counts as expired from the moment of its expiry.
    """
    with transaction.atomic():
        due = PaymentSession.objects.filter(status=SessionStatus.OPEN, expires_at__lte=now())
        if wallet_id is not None:
            due = due.filter(wallet_id=wallet_id)
        sessions = list(due.order_by("expires_at").select_for_update(skip_locked=True)[:limit])
        for session in sessions:
            _close(session, SessionStatus.EXPIRED, actor="system")
    return len(sessions)


def session_within(
    *, session_id: UUID, owner_id: UUID | None, scheme: str = "", lock: bool = False
) -> PaymentSession:
    """Give one session within reach, of a scheme where one is named, locked until the transaction ends if asked.

    Refuses with NotFound what doesn't exist, is somebody else's, or of another scheme.
    """
    sessions = PaymentSession.objects.filter(id=session_id)
    if owner_id is not None:
        sessions = sessions.filter(user_id=owner_id)
    if scheme:
        sessions = sessions.filter(scheme=scheme)
    session = (sessions.select_for_update() if lock else sessions).first()
    if session is None:
        raise NotFound("There is no such payment session.")
    return session


def require_usable(session: PaymentSession) -> None:
    """Refuse with SessionConsumed or SessionExpired a session that can't pay any more.

    A session whose attempt is known to have charged nothing, and wasn't declined, may pay until it expires.
    """
    if session.status == SessionStatus.CANCELLED:
        raise SessionConsumed("The payment session was cancelled.")
    if session.status == SessionStatus.CONSUMED and not may_try_again(session):
        raise SessionConsumed
    if session.status == SessionStatus.EXPIRED or now_of(session.wallet_id) >= session.expires_at:
        raise SessionExpired


def may_try_again(session: PaymentSession) -> bool:
    """Whether the session's payment ended without a charge and without anybody declining one."""
    payment = session.payment
    return payment is not None and payment.status == PaymentStatus.FAILED and not payment.decline_code


def consume(session: PaymentSession, payment: Payment, *, actor: str) -> None:
    """Let a payment use the session up, in the transaction under way that holds the session's lock."""
    session.payment = payment
    if session.status == SessionStatus.OPEN:
        _close(session, SessionStatus.CONSUMED, actor=actor)
    else:
        session.save(update_fields=["payment"])
        keep_after_commit(session)


def _require_exact(amount: Money, reload: Reload | None, *, scheme: str) -> None:
    processor_in_use().require_amount(amount)
    require_writable(amount, scheme=scheme)
    if reload is not None:
        require_writable(Money(reload.threshold, amount.currency), scheme=scheme)
        require_writable(Money(reload.amount, amount.currency), scheme=scheme)


def _rule_of(wallet_id: UUID) -> Reload | None:
    """Tell the wallet's own automatic top-up, where it goes by a threshold and is switched on."""
    rule = AutoTopUp.objects.filter(wallet_id=wallet_id, removed_at=None).first()
    if rule is None or not rule.is_live or rule.threshold is None:
        return None
    return Reload(threshold=rule.threshold, amount=rule.amount)


def _close(session: PaymentSession, status: SessionStatus, *, actor: str) -> None:
    before = session.status
    session.status = status
    session.closed_at = now()
    session.save(update_fields=["status", "payment", "closed_at"])
    _record(session, before=before, actor=actor)


def _record(session: PaymentSession, *, before: str, actor: str) -> None:
    keep_after_commit(session)
    audit.record(
        actor=actor,
        action="payment_session.status_changed",
        object_type="payment_session",
        object_id=session.id,
        from_state=before,
        to_state=session.status,
    )
