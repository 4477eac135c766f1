"""The second factor of staff: enrolled by QR code or text, demanded in production, good once, replaced by recovery codes."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from config.value_forms import Rate
from events.models import AuditEntry
from tests.access.staff_matrix import PAGES
from tests.access.test_staff_matrix import path_of
from tests.factories.people import someone
from tests.factories.staff import code_of, enrol, let_proof_grow_old, log_in, member
from tokens.rotation import rotate_column, sealed_columns
from users.models import RecoveryCode, SecondFactor, StaffSession
from users.second_factors import enrolment_uri, secret_text, takes_code

pytestmark = pytest.mark.django_db
FACTOR = "/admin/account/second-factor/"
SHOW = f"{FACTOR}show/"
ENROLMENT = {"factor", "factor-begin", "factor-confirm"}
NINE = datetime(2026, 11, 2, 9, 0, 0, tzinfo=UTC)


@pytest.fixture
def demanded(settings):
    """As in production."""
    settings.STAFF_SECOND_FACTOR_IS_REQUIRED = True


def secret_on(page: str) -> str:
    """The secret as it is written on the page of the enrolment."""
    found = re.search(r'<code class="enrolment-secret">([A-Z2-7 ]+)</code>', page)
    assert found
    return found[1].replace(" ", "")


def codes_on(page: str) -> list[str]:
    """The recovery codes that a page shows."""
    return re.findall(r"<li><code>([a-z2-7-]+)</code></li>", page)


def test_when_somebody_enrols_then_the_code_is_demanded_from_the_next_log_in_on():
    person = member("support")
    client = log_in(person)
    page = client.post(f"{FACTOR}begin/", follow=True).content.decode()
    secret = secret_on(page)

    done = client.post(f"{FACTOR}confirm/", {"code": code_of(secret)}).content.decode()
    asked = log_in(person, following="/admin/wallets/")
    answers = [asked.get(path) for path in ("/admin/", "/admin/wallets/", "/admin/records/", FACTOR)]
    asked.post(SHOW, {"code": code_of(secret, later=1)})

    assert len(codes_on(done)) == 10
    assert client.get("/admin/").status_code == 200
    assert [(answer.status_code, answer["Location"].partition("?")[0]) for answer in answers] == [
        (302, SHOW)
    ] * 4
    assert asked.get("/admin/").status_code == 200
    assert "Password and code" in asked.get("/admin/account/").content.decode()


def test_when_a_factor_is_waiting_then_its_page_holds_the_secret_as_a_drawing_and_as_text():
    person = member("support")
    client = log_in(person)
    client.post(f"{FACTOR}begin/")

    answer = client.get(FACTOR)

    page = answer.content.decode()
    factor = SecondFactor.objects.get(user=person)
    uri = enrolment_uri(factor, email=person.email)
    assert secret_on(page) == secret_text(factor)
    assert re.search(r'<svg viewBox="0 0 (\d+) \1"[^>]*role="img"', page)
    assert re.search(r'<path d="(M\d+ \d+h1v1h-1z)+" fill="#000"/>', page)
    assert "style=" not in page
    assert answer["Cache-Control"] == "no-store"
    assert uri.startswith("otpauth://totp/Open%20Wallet%3A")
    assert f"secret={secret_text(factor)}&issuer=Open%20Wallet&digits=6&period=30" in uri


def test_when_the_first_code_is_wrong_then_nothing_is_demanded_and_another_secret_may_be_made():
    person = member("support")
    client = log_in(person)
    client.post(f"{FACTOR}begin/")
    first = secret_text(SecondFactor.objects.get(user=person))

    page = client.post(f"{FACTOR}confirm/", {"code": "000000"}).content.decode()
    client.post(f"{FACTOR}begin/")

    assert "neither your password nor a code" in page
    assert codes_on(page) == []
    assert log_in(person).get("/admin/").status_code == 200
    assert secret_text(SecondFactor.objects.get(user=person)) != first


def test_when_a_code_was_taken_then_neither_it_nor_an_older_one_is_taken_again():
    person = member("support")
    secret, _ = enrol(person)

    with time_machine.travel(NINE + timedelta(days=3650), tick=False):
        codes = [code_of(secret, later=later) for later in (-2, -1, 0, 1, 2)]
        taken = [takes_code(user=person, code=codes[at], now=timezone.now()) for at in (0, 4, 2, 2, 1, 3)]

    # Two steps off; two steps ahead; now; again; the one before; the one after.
    assert taken == [False, False, True, False, False, True]


@pytest.mark.parametrize("code", ["", "12345", "1234567", "١٢٣٤٥٦", "abcdef", "-12345", "0" * 5000, "\0"])
def test_when_it_is_no_code_then_it_opens_nothing(code):
    person = member("support")
    enrol(person)

    assert takes_code(user=person, code=code, now=timezone.now()) is False


def test_when_the_authenticator_is_lost_then_each_recovery_code_opens_once():
    person = member("support")
    _, codes = enrol(person)
    first, second, third = log_in(person), log_in(person), log_in(person)

    first.post(SHOW, {"code": codes[3]})
    second.post(SHOW, {"code": codes[3]})
    third.post(SHOW, {"code": codes[4].replace("-", "").upper()})

    assert [client.get("/admin/").status_code for client in (first, second, third)] == [200, 302, 200]
    assert "8 recovery codes" in first.get("/admin/account/").content.decode()
    used = AuditEntry.objects.filter(object_id=str(person.id), action="factor.recovery_code_used")
    assert [entry.after for entry in used.order_by("id")] == [{"left": 9}, {"left": 8}]


def test_when_new_recovery_codes_are_made_then_the_old_ones_open_nothing_and_it_asks_who_it_is():
    person = member("support")
    secret, old = enrol(person)
    client = log_in(person)
    client.post(SHOW, {"code": code_of(secret)})
    let_proof_grow_old(person)

    asked = client.post(f"{FACTOR}codes/").content.decode()
    new = codes_on(client.post(f"{FACTOR}codes/", {"proof": code_of(secret, later=1)}).content.decode())
    late = log_in(person)
    late.post(SHOW, {"code": old[0]})
    before = late.get("/admin/").status_code
    late.post(SHOW, {"code": new[0]})

    assert "Is it you?" in asked
    assert (len(new), len(set(new) | set(old))) == (10, 20)
    assert (before, late.get("/admin/").status_code) == (302, 200)


def test_when_codes_fail_too_often_then_even_the_right_one_waits(settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(3, 600)}
    person = member("support")
    secret, codes = enrol(person)
    client = log_in(person)
    for number in range(3):
        client.post(SHOW, {"code": "000000"}, REMOTE_ADDR=f"192.0.2.{number}")

    answers = [client.post(SHOW, {"code": code}) for code in (code_of(secret), codes[0])]

    assert [answer.status_code for answer in answers] == [429, 429]
    assert "wait 10 min. (rate_limited)" in answers[0].content.decode()
    assert client.get("/admin/").status_code == 302


def test_when_nothing_secret_is_to_be_kept_then_the_tables_and_the_trail_hold_none():
    person = member("support")
    secret, codes = enrol(person)
    client = log_in(person)
    client.post(SHOW, {"code": codes[0]})

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT string_agg(f::text, '') FROM users_secondfactor f)"
            " || (SELECT string_agg(c::text, '') FROM users_recoverycode c)"
            " || (SELECT string_agg(a::text, '') FROM events_auditentry a)"
        )
        kept = cursor.fetchone()[0].lower()

    plain = [code.replace("-", "") for code in codes]
    assert [text for text in (secret.lower(), *codes, *plain) if text in kept] == []
    assert RecoveryCode.objects.count() == 10


def test_when_keys_are_rotated_then_the_authenticator_goes_on(settings):
    person = member("support")
    secret, _ = enrol(person)
    settings.ENCRYPTION_KEYS = (("next", b"N" * 32), *settings.ENCRYPTION_KEYS)

    assert (SecondFactor, "secret") in sealed_columns()
    rotate_column(model=SecondFactor, column="secret", batch_size=10)
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]

    assert takes_code(user=person, code=code_of(secret), now=timezone.now())


def test_when_a_factor_is_enrolled_then_its_person_can_not_replace_it():
    person = member("support")
    secret, _ = enrol(person)
    client = log_in(person)
    client.post(SHOW, {"code": code_of(secret)})

    client.post(f"{FACTOR}begin/")
    client.post(f"{FACTOR}confirm/", {"code": code_of(secret, later=1)})

    assert secret_text(SecondFactor.objects.get(user=person)) == secret
    assert "Recovery codes" in client.get(FACTOR).content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_when_a_factor_is_demanded_and_missing_then_every_page_leads_to_the_enrolment(
    demanded, admin_of_one_test, method
):
    led = {name: getattr(admin_of_one_test, method)(path_of(name)) for name in PAGES if name not in ENROLMENT}

    assert {name for name, answer in led.items() if answer.status_code != 302} == set()
    assert {
        name for name, answer in led.items() if not answer["Location"].startswith(f"{FACTOR}?next=")
    } == set()


@pytest.mark.parametrize("method", ["get", "post"])
def test_when_the_code_was_not_shown_then_every_page_leads_to_asking_for_it(admin_of_one_test, method):
    SecondFactor.objects.create(
        user_id=admin_of_one_test.session["_auth_user_id"], secret="v1.x.y.z", confirmed_at=timezone.now()
    )

    led = {name: getattr(admin_of_one_test, method)(path_of(name)) for name in PAGES if name != "factor-show"}

    assert {name for name, answer in led.items() if answer.status_code != 302} == set()
    assert {
        name for name, answer in led.items() if not answer["Location"].startswith(f"{SHOW}?next=")
    } == set()


@pytest.fixture
def admin_of_one_test():
    client = Client()
    client.force_login(someone("admin"))
    return client


@pytest.mark.parametrize(
    "path",
    ["/admin/records/", "/admin/users/user/", "/admin/payments/refund/", "/admin/login/", "/admin/logout/"],
)
def test_when_a_factor_is_demanded_then_djangos_screens_are_shut_too(demanded, admin_of_one_test, path):
    answer = admin_of_one_test.get(path)

    is_open = path in ("/admin/login/", "/admin/logout/")
    assert answer.get("Location", "").startswith(FACTOR) is not is_open


def test_when_a_factor_is_demanded_then_whoever_enrols_comes_to_where_they_wanted(demanded):
    person = member("finance")
    client = log_in(person, following="/admin/refunds/")
    led = client.get("/admin/refunds/")
    page = client.get(led["Location"]).content.decode()
    begun = client.post(f"{FACTOR}begin/?next=/admin/refunds/")
    form = client.get(begun["Location"]).content.decode()

    done = client.post(
        f"{FACTOR}confirm/", {"code": code_of(secret_on(form)), "next": "/admin/refunds/"}
    ).content.decode()

    assert led["Location"] == f"{FACTOR}?next=%2Fadmin%2Frefunds%2F"
    assert "Here nobody works with a password alone" in page
    assert 'role="search"' not in page
    assert 'name="next" value="/admin/refunds/"' in form
    assert 'href="/admin/refunds/"' in done
    assert client.get("/admin/refunds/").status_code == 200


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "x"])
def test_when_the_way_leads_to_another_host_then_it_leads_home(wanted):
    person = member("support")
    secret, _ = enrol(person)
    client = log_in(person)

    answer = client.post(SHOW, {"code": code_of(secret), "next": wanted})

    assert answer["Location"] == "/admin/"
    assert StaffSession.objects.get(user=person).factor_shown_at is not None
