"""Payment sessions: opened within what may be paid, shown as they are, closed once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from redis.exceptions import ConnectionError as RedisIsAway

from events.clock import now
from events.redis_link import link
from payments import sessions, shown_sessions
from payments.models import PaymentSession, SessionStatus
from payments.refusals import SchemeUnavailable, SessionConsumed, SessionExpired
from payments.sessions import cancel_session, expire_due_sessions
from payments.shown_sessions import read_session
from tests.payments.customers import TIMES_OUT, Customer, unkeyed
from tests.payments.phones import SCHEMES, new_session, pay, reloading
from tests.payments.test_topups import refused_by_limit, refused_by_suspension
from transactions.refusals import CurrencyMismatch, InvalidInput, LimitExceeded, NotFound
from wallets.refusals import WalletSuspended


def sessions_of(customer: Customer) -> list[dict[str, Any]]:
    return list(PaymentSession.objects.filter(user=customer.user).order_by("id").values())


def later(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    """Let sessions and what is shown of them go by a later time."""
    for module in ("sessions", "shown_sessions"):
        monkeypatch.setattr(f"payments.{module}.now_of", lambda _wallet: now() + timedelta(**by))


def cancel(customer: Customer, session: PaymentSession) -> None:
    cancel_session(session_id=session.id, owner_id=customer.user.id, actor=customer.actor, call=unkeyed())


def status_of(session: PaymentSession) -> str:
    shown = read_session(session.id)
    assert shown is not None
    return str(shown.fields["status"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_when_a_session_is_opened_then_it_lasts_fifteen_minutes_and_no_money_moves(customer, scheme):
    before = customer.books()

    session = new_session(customer, scheme)

    assert session.expires_at - session.created_at == timedelta(minutes=15)
    assert (session.user_id, session.wallet_id) == (customer.user.id, customer.wallet_id)
    assert (session.amount, session.currency, session.status) == (2500, "USD", "open")
    assert len(session.nonce) >= 43
    assert customer.books() == before


@pytest.mark.parametrize(
    ("prepare", "refusal"),
    [(refused_by_suspension, WalletSuspended), (refused_by_limit, LimitExceeded)],
    ids=["suspended", "full"],
)
def test_when_the_wallet_may_not_take_it_then_there_is_no_session(customer, prepare, refusal):
    prepare(customer)

    with pytest.raises(refusal):
        new_session(customer)

    assert sessions_of(customer) == []


def test_when_charges_under_way_fill_the_wallet_then_there_is_no_session(customer):
    refused_by_limit(customer)
    customer.top_up(customer.card(TIMES_OUT).id, 2000)

    with pytest.raises(LimitExceeded):
        new_session(customer, amount=500)

    assert sessions_of(customer) == []


def test_when_the_currency_or_the_wallet_is_another_s_then_there_is_no_session(customer):
    other = Customer.with_wallet("EUR")
    intruder = Customer(user=customer.user, wallet_id=other.wallet_id, currency="EUR")
    mistaken = Customer(user=customer.user, wallet_id=customer.wallet_id, currency="EUR")

    with pytest.raises(NotFound):
        new_session(intruder)
    with pytest.raises(CurrencyMismatch):
        new_session(mistaken)

    assert sessions_of(customer) == sessions_of(other) == []


def test_when_the_scheme_is_not_set_up_then_there_is_no_session(customer, settings):
    settings.SANDBOX, settings.APPLE_PAY_MERCHANT_ID = False, ""

    with pytest.raises(SchemeUnavailable):
        new_session(customer)

    assert sessions_of(customer) == []


@pytest.mark.parametrize(
    ("amount", "reload", "is_exact"),
    [
        (2500, None, True),
        (2505, None, False),
        (2500, reloading(505, 100), False),
        (2500, reloading(500, 105), False),
    ],
)
def test_when_google_can_t_write_an_amount_exactly_then_it_isn_t_asked(committed, amount, reload, is_exact):
    customer = Customer.with_wallet("KWD")

    if is_exact:
        new_session(customer, "google_pay", amount=amount, reload=reload)
    else:
        with pytest.raises(InvalidInput) as refused:
            new_session(customer, "google_pay", amount=amount, reload=reload)
        assert refused.value.field == "amount"

    assert len(sessions_of(customer)) == is_exact
    assert new_session(customer, "apple_pay", amount=amount, reload=reload).amount == amount


def test_when_a_session_is_cancelled_then_it_stays_so(customer):
    session = new_session(customer)

    cancel(customer, session)
    cancelled = sessions_of(customer)
    cancel(customer, session)

    assert sessions_of(customer) == cancelled
    assert (cancelled[0]["status"], cancelled[0]["closed_at"] is not None) == ("cancelled", True)


def test_when_a_session_has_paid_or_is_over_then_it_can_t_be_cancelled(customer, monkeypatch):
    paid, over = new_session(customer), new_session(customer)
    pay(customer, paid)
    with pytest.raises(SessionConsumed):
        cancel(customer, paid)
    later(monkeypatch, minutes=15)
    before = sessions_of(customer)

    with pytest.raises(SessionExpired):
        cancel(customer, over)

    assert sessions_of(customer) == before


def test_when_a_session_is_somebody_else_s_then_it_can_t_be_cancelled(customer):
    session = new_session(customer)

    with pytest.raises(NotFound):
        cancel(Customer.with_wallet("USD"), session)

    assert sessions_of(customer)[0]["status"] == "open"


@pytest.mark.parametrize(("seconds", "shown"), [(899, "open"), (900, "expired")])
def test_when_its_time_is_over_then_it_reads_as_expired_though_nobody_has_swept(
    customer, monkeypatch, seconds, shown
):
    session = new_session(customer)
    later(monkeypatch, seconds=seconds)
    monkeypatch.setattr(
        "payments.shown_sessions.now_of", lambda _wallet: session.created_at + timedelta(seconds=seconds)
    )

    assert status_of(session) == shown
    assert PaymentSession.objects.get(id=session.id).status == "open"


def test_when_sessions_are_swept_then_those_whose_time_is_over_expire_and_no_other(customer, monkeypatch):
    over = new_session(customer)
    monkeypatch.setattr(sessions, "now_of", lambda _wallet: now() + timedelta(minutes=5))
    fresh = new_session(customer)
    monkeypatch.setattr(sessions, "now", lambda: over.expires_at)

    while expire_due_sessions():
        pass

    assert PaymentSession.objects.get(id=over.id).status == SessionStatus.EXPIRED
    assert PaymentSession.objects.get(id=over.id).closed_at == over.expires_at
    assert PaymentSession.objects.get(id=fresh.id).status == SessionStatus.OPEN


def test_when_a_session_changes_then_what_is_shown_changes_with_it(customer):
    cancelled, consumed = new_session(customer), new_session(customer)
    before = [status_of(cancelled), status_of(consumed)]

    cancel(customer, cancelled)
    pay(customer, consumed)

    assert before == ["open", "open"]
    assert [status_of(cancelled), status_of(consumed)] == ["cancelled", "consumed"]


def test_when_a_slow_reader_has_read_the_session_before_it_changed_then_its_copy_replaces_nothing(customer):
    session = new_session(customer)
    link.ask("DEL", f"ow:payment_session:{session.id}")
    stale = PaymentSession.objects.get(id=session.id)
    cancel(customer, session)

    shown_sessions._keep(stale, is_change=False)

    assert status_of(session) == "cancelled"


def test_when_redis_is_away_then_sessions_are_opened_shown_and_paid_once_all_the_same(customer, monkeypatch):
    def away(*_command: Any) -> None:
        raise RedisIsAway

    monkeypatch.setattr(link, "_exchange", away)
    monkeypatch.setattr(link, "paused_until_s", 0.0)

    session = new_session(customer)
    before = status_of(session)
    pay(customer, session, key="pay-1")

    with pytest.raises(SessionConsumed):
        pay(customer, session, key="pay-2")
    assert (before, status_of(session)) == ("open", "consumed")
    assert (customer.balance, customer.charged) == (2500, 2500)


def test_when_redis_has_forgotten_everything_then_a_session_still_pays_once(customer):
    session = new_session(customer)
    link.ask("FLUSHDB")
    pay(customer, session, key="pay-1")
    link.ask("FLUSHDB")

    with pytest.raises(SessionConsumed):
        pay(customer, session, key="pay-2")

    assert (status_of(session), customer.balance) == ("consumed", 2500)


@pytest.mark.parametrize(
    "change",
    ["amount = 1", "currency = 'EUR'", "nonce = 'x'", "expires_at = now() + interval '1 day'", "reload_amount = 5, reload_threshold = 5"],
)  # fmt: skip
def test_when_somebody_would_alter_a_session_then_the_table_says_no(customer, change):
    session = new_session(customer)

    with (
        pytest.raises(Exception, match=r"closed once and never altered|permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE payments_paymentsession SET {change} WHERE id = %s", [session.id])

    assert sessions_of(customer)[0]["amount"] == 2500


def test_when_a_session_has_paid_then_the_table_lets_no_other_payment_take_its_place(customer):
    session = new_session(customer)
    pay(customer, session)
    customer.top_up(customer.card().id, 100)
    other = customer.payments[1]

    with pytest.raises(Exception, match="closed once and never altered"), transaction.atomic():
        PaymentSession.objects.filter(id=session.id).update(payment_id=other.id)

    assert PaymentSession.objects.get(id=session.id).payment_id == customer.payments[0].id
