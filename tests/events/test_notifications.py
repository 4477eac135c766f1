"""Notices: told once for each event and person, by their wishes, and sent until the mail server has them."""

import threading
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import orjson
import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import connection, connections
from uuid_utils.compat import uuid7

from events import notices, notifications
from events.clock import now
from events.failed_work import retry_work
from events.models import Event, FailedWork, Notification
from events.relay import publish_waiting
from tests.factories.calls import ApiClient
from tests.factories.holds import staff
from tests.factories.money import fund, new_wallet
from tests.factories.people import CustomerFactory
from users.models import User, all_notices

LINE = {"amount": -60_000, "currency": "USD", "balance_after": 90_000, "description": "Sofa & chair"}
REFUND = {"amount": 1_250, "currency": "USD"}
TOP_UP = {"amount": 2_000, "currency": "KWD", "reason": "expired_card", "retry_at": None}


def happened(event_type: str, user: User, **data: Any) -> None:
    """Publish one event, as the relay does."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_eventposition SET last = last + 1 WHERE id = 1 RETURNING last")
        (position,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO events_event (id, position, type, wallet_id, user_id, data, request_id, traceparent,"
            " created_at) VALUES (%s, %s, %s, %s, %s, %s::jsonb, 'req-12345678', '', now())",
            [uuid7(), position, event_type, uuid7(), user.id, orjson.dumps({"id": uuid7(), **data}).decode()],
        )


def told(user: User) -> list[EmailMultiAlternatives]:
    """Raise and send what is due; give what this person was sent."""
    notices.raise_notices()
    notifications.send_due()
    return [message for message in mail.outbox if message.to == [user.email]]


def events_of(user: User, event_type: str) -> list[dict[str, Any]]:
    """Read the data of a person's events of one type, oldest first."""
    return list(
        Event.objects.filter(user_id=user.id, type=event_type)
        .order_by("position")
        .values_list("data", flat=True)
    )


@pytest.fixture
def customer(db) -> User:
    """Somebody who wants every notice; what others were to be told is told already."""
    notices.raise_notices()
    Notification.objects.filter(status="pending").update(status="cancelled", finished_at=now())
    return CustomerFactory.create(name="Ann")


def test_when_a_balance_falls_below_the_mark_then_that_is_told_once_for_each_crossing(customer):
    client, wallet_id = ApiClient(customer), new_wallet(2_000, owner=customer)

    def pay(amount: int) -> int:
        client.post(f"/wallet/{wallet_id}/pay", {"amount": amount, "currency": "USD"})
        publish_waiting()
        notices.raise_notices()
        publish_waiting()
        return len(told(customer))

    assert pay(1_000) == 0
    assert pay(1) == 1
    assert pay(500) == 1

    fund(wallet_id, 1_000)
    assert pay(1_000) == 2

    lows = events_of(customer, "wallet.balance_low")
    assert [(low["balance"], low["threshold"], low["currency"]) for low in lows] == [
        (999, 1_000, "USD"),
        (499, 1_000, "USD"),
    ]
    assert lows[0]["wallet_id"] == str(wallet_id)
    assert mail.outbox[0].subject == "Your USD wallet is running low"
    assert "is 9.99 USD, which is below 10.00 USD." in mail.outbox[0].body


def test_when_somebody_has_own_marks_then_those_count(customer):
    marks = {"low_balance": {"USD": 5_000}, "large_debit": {"USD": 100}}
    choice = {**all_notices(), "thresholds": marks}
    client, wallet_id = ApiClient(customer), new_wallet(5_050, owner=customer)

    answer = client.put("/auth/me/notifications", choice)
    client.post(
        f"/wallet/{wallet_id}/pay", {"amount": 100, "currency": "USD", "description": "Tea <for> two"}
    )
    for _ in range(2):
        publish_waiting()
        notices.raise_notices()

    assert (answer.status_code, answer.json()) == (200, choice)
    assert client.get("/auth/me/notifications").json() == choice
    assert sorted(message.subject for message in told(customer)) == [
        "1.00 USD left your wallet",
        "Your USD wallet is running low",
    ]
    (large,) = [message for message in mail.outbox if message.subject.startswith("1.00")]
    assert "Tea <for> two" in large.body
    assert "Tea &lt;for&gt; two" in large.alternatives[0].content


@pytest.mark.parametrize(
    ("thresholds", "field"),
    [
        ({"low_balance": {"usd": 1}}, "thresholds.low_balance.usd"),
        ({"low_balance": {"USD": "1"}}, "thresholds.low_balance.USD"),
        ({"low_balance": {"USD": True}}, "thresholds.low_balance.USD"),
        ({"low_balance": {"USD": -1}}, "thresholds.low_balance.USD"),
        ({"large_debit": {"USD": 2**53}}, "thresholds.large_debit.USD"),
        ({"huge_debit": {}}, "thresholds.huge_debit"),
    ],
)
def test_when_a_mark_makes_no_sense_then_it_is_refused_by_name(customer, thresholds, field):
    answer = ApiClient(customer).put("/auth/me/notifications", {**all_notices(), "thresholds": thresholds})

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert User.objects.get(id=customer.id).notifications == all_notices()


@pytest.mark.parametrize(
    ("event_type", "data", "subject", "words"),
    [
        (
            "transaction.completed",
            LINE,
            "600.00 USD left your wallet",
            "Sofa & chair. The balance is now 900.00 USD.",
        ),
        (
            "top_up.failed",
            TOP_UP,
            "Your automatic top-up failed",
            "by 2.000 KWD failed (reason: expired_card).",
        ),
        (
            "top_up.failed",
            {**TOP_UP, "retry_at": "2026-12-01T10:00:00Z"},
            "Your automatic top-up failed",
            "tried again on 2026-12-01.",
        ),
        (
            "top_up.disabled",
            TOP_UP,
            "Your automatic top-up was switched off",
            "by 2.000 KWD was switched off",
        ),
        ("refund.approved", REFUND, "Your refund was approved", "The refund of 12.50 USD was approved"),
        ("refund.rejected", REFUND, "Your refund was declined", "The refund of 12.50 USD was declined."),
        ("wallet.suspended", {"currency": "USD"}, "Your USD wallet was suspended", "your money stays yours"),
    ],
)
def test_when_something_happens_then_its_owner_is_told_in_plain_words(
    customer, event_type, data, subject, words
):
    happened(event_type, customer, **data)

    (message,) = told(customer)

    assert message.subject == subject
    assert words in message.body
    assert f"<h1>{subject}</h1>" in message.alternatives[0].content
    assert message.extra_headers["X-Request-ID"] == "req-12345678"
    assert "None" not in message.body


def test_when_nothing_of_note_happens_then_nobody_is_told(customer):
    happened("transaction.completed", customer, **{**LINE, "amount": -49_999})
    happened("transaction.completed", customer, **{**LINE, "amount": 60_000})
    happened("refund.completed", customer, **REFUND)
    happened("wallet.reactivated", customer, currency="USD")

    assert told(customer) == []


def test_when_somebody_wants_no_such_notice_then_the_event_is_all_there_is(customer):
    customer.notifications["email"].update(low_balance=False, wallet_suspended=False)
    customer.save()
    happened("wallet.suspended", customer, currency="USD")
    happened("transaction.completed", customer, **{**LINE, "amount": -100, "balance_after": 950})

    assert told(customer) == []
    publish_waiting()
    assert [low["balance"] for low in events_of(customer, "wallet.balance_low")] == [950]
    assert told(customer) == []


def test_when_events_are_read_again_then_nobody_is_told_twice(customer):
    happened("wallet.suspended", customer, currency="USD")
    first = told(customer)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_noticeplace SET position = position - 1")

    again = told(customer)

    assert (len(first), len(again)) == (1, 1)
    assert Notification.objects.filter(user=customer).count() == 1


def test_when_no_mail_is_sent_by_this_installation_then_no_notice_waits(customer, settings):
    settings.EMAIL_IS_SENT = False
    happened("wallet.suspended", customer, currency="USD")

    assert told(customer) == []
    assert not Notification.objects.filter(user=customer).exists()


def test_when_a_person_is_switched_off_before_it_is_sent_then_it_isn_t(customer):
    happened("wallet.suspended", customer, currency="USD")
    notices.raise_notices()
    User.objects.filter(id=customer.id).update(is_active=False)

    assert told(customer) == []
    assert Notification.objects.get(user=customer).status == "cancelled"


@pytest.fixture
def later(monkeypatch):
    """Let time pass."""

    def pass_by(span: timedelta) -> None:
        at = now() + span
        monkeypatch.setattr(notifications, "now", lambda: at)

    return pass_by


def test_when_the_mail_server_is_away_then_it_is_tried_again_with_growing_pauses(
    customer, later, monkeypatch
):
    send = EmailMultiAlternatives.send
    tried = []

    def fail(message: EmailMultiAlternatives, **_options: Any) -> int:
        tried.append(message.extra_headers["Message-ID"])
        raise SMTPServerDisconnected("gone")

    monkeypatch.setattr(EmailMultiAlternatives, "send", fail)
    happened("wallet.suspended", customer, currency="USD")
    told(customer)
    notice = Notification.objects.get(user=customer)
    first_pause = notice.due_at - notice.created_at
    told(customer)
    later(timedelta(minutes=2))
    told(customer)
    monkeypatch.setattr(EmailMultiAlternatives, "send", send)
    before_its_time = len(told(customer))
    later(timedelta(minutes=10))

    (message,) = told(customer)

    notice.refresh_from_db()
    assert timedelta(minutes=1) <= first_pause < timedelta(minutes=1, seconds=10)
    assert (before_its_time, len(tried), notice.attempts, notice.status) == (0, 2, 3, "sent")
    assert notice.last_error == ""
    assert {*tried, message.extra_headers["Message-ID"]} == {f"<{notice.id}@localhost>"}


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (SMTPServerDisconnected("gone"), 7),
        (SMTPRecipientsRefused({"x": (450, b"busy")}), 7),
        (SMTPRecipientsRefused({"x": (550, b"no such mailbox")}), 1),
        (ConnectionRefusedError(), 7),
    ],
)
def test_when_it_can_t_be_delivered_then_it_is_given_up_in_the_end(
    customer, later, monkeypatch, failure, tries
):
    def fail(*_arguments: Any, **_options: Any) -> int:
        raise failure

    monkeypatch.setattr(EmailMultiAlternatives, "send", fail)
    happened("wallet.suspended", customer, currency="USD")
    for days in range(10):
        later(timedelta(days=2 * days))
        told(customer)

    notice = Notification.objects.get(user=customer)
    assert (notice.status, notice.attempts) == ("failed", tries)
    assert notice.last_error.startswith(type(failure).__name__)


def test_when_whoever_sends_it_dies_then_another_one_sends_it_after_the_lease(customer, later):
    happened("wallet.suspended", customer, currency="USD")
    notices.raise_notices()
    assert len(notifications._claim(10)) == 1

    at_once = len(told(customer))
    later(notifications.LEASE + timedelta(seconds=1))

    assert (at_once, len(told(customer))) == (0, 1)


def test_when_several_send_at_once_then_each_notice_goes_out_once(committed):
    customer = CustomerFactory.create()
    for _ in range(20):
        happened("wallet.suspended", customer, currency="USD")
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        notices.raise_notices()
        for _ in range(5):
            notifications.send_due(limit=3)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while notifications.send_due():
        pass

    sent = [message.extra_headers["Message-ID"] for message in mail.outbox if message.to == [customer.email]]
    assert (len(sent), len(set(sent))) == (20, 20)
    assert set(Notification.objects.filter(user=customer).values_list("status", "attempts")) == {("sent", 1)}


def test_when_notices_are_old_then_they_are_forgotten(customer, later):
    happened("wallet.suspended", customer, currency="USD")
    told(customer)

    kept = notifications.forget_old()
    later(notifications.KEPT + timedelta(days=1))
    forgotten = notifications.forget_old()

    assert (kept, forgotten >= 1, Notification.objects.filter(user=customer).count()) == (0, True, 0)


def test_every_notice_that_can_be_chosen_has_its_words():
    assert set(notices.NOTICE_OF.values()) | {"large_debit"} == set(all_notices()["email"])


def test_when_a_notice_was_given_up_then_staff_can_have_it_sent_again(customer, later, monkeypatch):
    send = EmailMultiAlternatives.send

    def fail(*_arguments: Any, **_options: Any) -> int:
        raise SMTPRecipientsRefused({"x": (550, b"no such mailbox")})

    monkeypatch.setattr(EmailMultiAlternatives, "send", fail)
    happened("wallet.suspended", customer, currency="USD")
    told(customer)
    monkeypatch.setattr(EmailMultiAlternatives, "send", send)
    notice = Notification.objects.get(user=customer)
    work = FailedWork.objects.get(kind="notice", object_id=str(notice.id))

    bell = retry_work(work_id=work.id, principal=staff("admin"))

    assert bell == ("events.tell_people", (str(notice.id),))
    assert len(told(customer)) == 1
    assert not FailedWork.objects.filter(id=work.id).exists()
