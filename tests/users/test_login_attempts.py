"""How often log-ins may fail."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection
from django.utils import timezone

from config.value_forms import Rate
from events.models import AuditEntry
from tests.users.conftest import PASSWORD
from users.login_attempts import address_subject, admit, forget_old_attempts
from users.models import LoginAttempts
from users.refusals import TooManyLogins, WrongLogin
from users.signing_in import log_in

NINE = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def three_in_ten_minutes(settings: LazySettings) -> None:
    """Allow three failures in ten minutes."""
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(3, 600)}


def fail(email: str, address: str) -> None:
    """Log in with a wrong password."""
    with pytest.raises(WrongLogin):
        log_in(email=email, password="something else altogether", address=address)


@pytest.mark.django_db
def test_when_an_account_failed_too_often_then_even_the_right_password_waits(
    post: Any, new_user: Any
) -> None:
    user = new_user()
    with time_machine.travel(NINE, tick=False):
        for host in range(3):
            fail(user.email, f"192.0.2.{host}")

    with time_machine.travel(NINE + timedelta(seconds=60), tick=False):
        answer = post("/auth/token", {"email": user.email, "password": PASSWORD})

    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert answer["Retry-After"] == "540"
    assert answer["RateLimit"] == '"login";r=0;t=540'
    assert answer["RateLimit-Policy"] == '"login";q=3;w=600'


@pytest.mark.django_db
def test_when_an_unknown_account_is_tried_too_often_then_it_waits_as_a_known_one_does(post: Any) -> None:
    for host in range(3):
        fail("nobody@example.com", f"192.0.2.{host}")

    answer = post("/auth/token", {"email": "NOBODY@example.com", "password": PASSWORD})

    assert answer.status_code == 429


@pytest.mark.django_db
def test_when_the_window_is_over_then_the_account_may_try_again(new_user: Any) -> None:
    user = new_user()
    with time_machine.travel(NINE, tick=False):
        for host in range(3):
            fail(user.email, f"192.0.2.{host}")

    with time_machine.travel(NINE + timedelta(seconds=600), tick=False):
        pair = log_in(email=user.email, password=PASSWORD, address="192.0.2.9")

    assert pair.expires_in_s == 900


@pytest.mark.django_db
def test_when_the_password_was_right_then_earlier_failures_are_forgiven(new_user: Any) -> None:
    user = new_user()
    for _ in range(2):
        fail(user.email, "")
    log_in(email=user.email, password=PASSWORD, address="")
    for _ in range(3):
        fail(user.email, "")

    with pytest.raises(TooManyLogins):
        log_in(email=user.email, password=PASSWORD, address="")


@pytest.mark.django_db
def test_when_an_address_failed_too_often_then_it_waits_and_others_do_not(new_user: Any) -> None:
    user = new_user()
    for number in range(3):
        fail(f"nobody{number}@example.com", "2001:db8:1:2::1")

    with pytest.raises(TooManyLogins):
        log_in(email=user.email, password=PASSWORD, address="2001:db8:1:2:ffff::7")
    pair = log_in(email=user.email, password=PASSWORD, address="2001:db8:1:3::1")

    assert pair.expires_in_s == 900


@pytest.mark.django_db
def test_when_log_ins_are_right_then_their_address_is_not_counted(new_user: Any) -> None:
    users = [new_user() for _ in range(5)]

    for user in users:
        log_in(email=user.email, password=PASSWORD, address="192.0.2.1")

    assert not LoginAttempts.objects.exists()


@pytest.mark.django_db
def test_when_the_limit_is_off_then_nothing_is_counted(settings: LazySettings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": None}

    for _ in range(4):
        fail("nobody@example.com", "192.0.2.1")

    assert not LoginAttempts.objects.exists()


@pytest.mark.django_db
def test_when_counts_are_kept_then_they_hold_no_address_of_a_person() -> None:
    fail("nobody@example.com", "192.0.2.1")

    subjects = sorted(LoginAttempts.objects.values_list("subject", flat=True))

    assert subjects[0] == "address:192.0.2.1"
    assert subjects[1].startswith("user:")
    assert "nobody" not in subjects[1]


@pytest.mark.django_db
def test_when_windows_are_over_then_their_counts_are_deleted() -> None:
    with time_machine.travel(NINE, tick=False):
        fail("nobody@example.com", "192.0.2.1")
    fail("somebody@example.com", "192.0.2.2")

    deleted = forget_old_attempts(now=timezone.now())

    assert deleted == 2
    assert LoginAttempts.objects.filter(subject=address_subject("192.0.2.2")).count() == 1


def test_when_sixteen_guess_at_once_then_exactly_three_are_looked_at(committed: None) -> None:
    account = f"user:{datetime.now(UTC).isoformat()}"
    barrier = Barrier(16)

    def guess(_: int) -> bool:
        barrier.wait()
        try:
            admit(account=account, address="")
        except TooManyLogins:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(16) as pool:
        admitted = list(pool.map(guess, range(16)))

    assert admitted.count(True) == 3
    assert LoginAttempts.objects.get(subject=account).attempts == 16


@pytest.mark.django_db
def test_when_log_ins_fail_then_each_is_in_the_trail_whoever_it_was_and_the_lock_out_once(
    post: Any, new_user: Any
) -> None:
    user = new_user(role="support")
    for host in range(3):
        fail(user.email, f"192.0.2.{host}")
    fail("nobody@example.com", "192.0.2.3")
    for _ in range(3):
        post("/auth/token", {"email": user.email, "password": PASSWORD})

    entries = AuditEntry.objects.filter(actor="anybody").order_by("id")

    told = [(entry.action, entry.object_type, entry.reason) for entry in entries]
    assert told == [
        *[("login.failed", "user", "wrong password")] * 3,
        ("login.failed", "user", "unknown account"),
        ("login.locked", "login_user", ""),
    ]
    assert [entry.object_id for entry in entries][:3] == [str(user.id)] * 3
    assert entries.last().address == "127.0.0.1"
    kept = str([(entry.object_id, entry.before, entry.after) for entry in entries])
    assert [secret for secret in ("nobody", PASSWORD, "something else") if secret in kept] == []


@pytest.mark.django_db
def test_when_staff_fail_at_the_log_in_page_then_they_are_told_how_long_to_wait(
    client: Any, new_user: Any
) -> None:
    user = new_user(role="admin")
    with time_machine.travel(NINE, tick=False):
        for host in range(3):
            fail(user.email, f"192.0.2.{host}")

    with time_machine.travel(NINE + timedelta(seconds=60), tick=False):
        form = {"username": user.email, "password": PASSWORD}
        answers = [
            client.post("/admin/login/", form),
            client.post("/admin/login/", {**form, "username": "nobody@example.com"}),
        ]

    assert [answer.status_code for answer in answers] == [429, 200]
    assert answers[0]["Retry-After"] == "540"
    assert "wait 9 min. (rate_limited)" in answers[0].content.decode()
    assert "open the back office" in answers[1].content.decode()
