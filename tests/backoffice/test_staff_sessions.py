"""Sessions of staff: over after a quarter of an hour of nothing, ended from elsewhere, listed, and changed with the password."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from events.models import AuditEntry
from tests.factories.people import someone
from tests.factories.staff import PASSWORD, log_in, member
from users.models import RefreshFamily, StaffSession
from users.refusals import InvalidToken
from users.sessions import continue_session, open_session
from users.staff_sessions import forget_old_staff_sessions
from users.standing import deactivate, revoke_sessions

pytestmark = pytest.mark.django_db
NINE = datetime(2026, 11, 2, 9, 0, 0, tzinfo=UTC)
ACCOUNT = "/admin/account/"


def told(person) -> list[tuple[str, str]]:
    """What the trail tells of somebody's comings and goings."""
    entries = AuditEntry.objects.filter(object_id=str(person.id)).order_by("id")
    return [(entry.action, entry.reason) for entry in entries]


def test_when_nothing_is_done_for_a_quarter_of_an_hour_then_the_session_ends_and_the_way_leads_back():
    person = member("finance")
    with time_machine.travel(NINE, tick=False):
        client = log_in(person)
    with time_machine.travel(NINE + timedelta(seconds=900), tick=False):
        just = client.get("/admin/refunds/?status=rejected")
    with time_machine.travel(NINE + timedelta(seconds=1801), tick=False):
        over = client.get("/admin/refunds/?status=rejected")
        page = client.get(over["Location"]).content.decode()
        back = client.post(over["Location"], {"username": person.email, "password": PASSWORD})

    assert (just.status_code, over.status_code) == (200, 302)
    assert over["Location"] == "/admin/login/?next=%2Fadmin%2Frefunds%2F%3Fstatus%3Drejected&ended=idle"
    assert "Nothing was done for 15 minutes" in page
    assert back["Location"] == "/admin/refunds/?status=rejected"
    assert ("session.ended", "idle") in told(person)


def test_when_a_form_comes_too_late_then_it_does_nothing_and_the_way_leads_to_its_page(settings):
    person = member("support")
    with time_machine.travel(NINE, tick=False):
        client = log_in(person)

    with time_machine.travel(NINE + timedelta(seconds=1000), tick=False):
        answer = client.post(
            "/admin/time-zone/",
            {"time_zone": "Asia/Kolkata"},
            headers={"referer": "http://testserver/admin/wallets/?currency=EUR"},
        )

    assert answer["Location"] == "/admin/login/?next=%2Fadmin%2Fwallets%2F%3Fcurrency%3DEUR&ended=idle"


@pytest.mark.parametrize("referer", ["https://evil.example/admin/", "", "nonsense"])
def test_when_the_form_came_from_elsewhere_then_the_way_leads_home(referer):
    person = member("support")
    client = log_in(person)
    StaffSession.objects.update(last_seen_at=NINE)

    answer = client.post("/admin/time-zone/", headers={"referer": referer} if referer else {})

    assert answer["Location"] == "/admin/login/?next=%2Fadmin%2F&ended=idle"


def test_when_the_idle_time_is_set_then_it_holds(settings):
    settings.STAFF_IDLE_S = 60
    client = log_in(member("support"))

    StaffSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=59))
    just = client.get("/admin/")
    StaffSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=61))
    over = client.get("/admin/")

    assert (just.status_code, over.status_code) == (200, 302)


def test_when_the_account_is_opened_then_each_session_is_told_by_device_and_address():
    person = member("auditor")
    log_in(person, **{"user-agent": "Firefox on Linux"})
    client = log_in(person, **{"user-agent": "<b>Safari</b>"})

    page = client.get(ACCOUNT).content.decode()

    assert page.index("&lt;b&gt;Safari&lt;/b&gt;") < page.index("Firefox on Linux")
    assert page.count("127.0.0.1") == 2
    assert page.count("this one") == 1


def test_when_one_ends_another_session_then_that_browser_is_out_and_this_one_stays():
    person = member("support")
    there, here = log_in(person), log_in(person)
    other = StaffSession.objects.earliest("id")

    here.post(f"{ACCOUNT}sessions/{other.id}/end/")

    assert there.get("/admin/").status_code == 302
    assert here.get("/admin/").status_code == 200
    other.refresh_from_db()
    assert other.ending == "revoked"
    assert ("session.ended", "revoked") in told(person)


def test_when_all_others_are_ended_then_only_this_browser_is_in():
    person, colleague = member("support"), someone("support")
    others = [log_in(person), log_in(person)]
    bystander = Client()
    bystander.force_login(colleague)
    here = log_in(person)

    page = here.post(f"{ACCOUNT}sessions/end/", follow=True).content.decode()

    assert "2 other sessions are ended." in page
    assert [one.get("/admin/").status_code for one in others] == [302, 302]
    assert bystander.get("/admin/").status_code == 200


def test_when_a_session_is_somebody_elses_then_it_can_not_be_ended():
    colleague = member("admin")
    there = log_in(colleague)
    here = log_in(member("support"))

    page = here.post(f"{ACCOUNT}sessions/{StaffSession.objects.get(user=colleague).id}/end/", follow=True)

    assert "There is no such session." in page.content.decode()
    assert there.get("/admin/").status_code == 200


@pytest.mark.parametrize("end", [revoke_sessions, deactivate])
def test_when_sessions_are_revoked_or_the_person_switched_off_then_the_browser_is_out(end):
    person = member("support")
    client = log_in(person)

    end(user_id=person.id, actor="admin:1", reason="left")

    assert client.get("/admin/")["Location"].startswith("/admin/login/?next=")


def test_when_the_cookie_is_of_an_older_version_then_one_logs_in_again():
    client = log_in(member("support"))
    session = client.session
    del session["staff_session"]
    session.save()

    answer = client.get("/admin/")

    assert answer["Location"] == "/admin/login/?next=%2Fadmin%2F&ended=ended"


def test_when_the_cookie_names_another_persons_session_then_it_opens_nothing():
    client, colleague = log_in(member("support")), member("admin")
    log_in(colleague)
    session = client.session
    session["staff_session"] = str(StaffSession.objects.get(user=colleague).id)
    session.save()

    assert client.get("/admin/").status_code == 302


def test_when_the_password_is_changed_then_all_others_are_out_and_this_browser_stays():
    person = member("finance")
    there, here = log_in(person), log_in(person)
    tokens = open_session(bearer=person)
    new = "another horse entirely"

    answer = here.post(
        f"{ACCOUNT}password/", {"proof": PASSWORD, "new_password": new, "again": new}, follow=True
    )

    assert "The password is changed, and all other sessions are ended." in answer.content.decode()
    assert there.get("/admin/").status_code == 302
    assert here.get("/admin/").status_code == 200
    with pytest.raises(InvalidToken):
        continue_session(refresh=tokens.refresh)
    assert log_in(person).get("/admin/").status_code == 302
    assert log_in(person, password=new).get("/admin/").status_code == 200
    assert ("user.password_changed", "") in told(person)
    assert RefreshFamily.objects.filter(user=person).count() == 1


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"proof": "wrong", "new_password": "another horse", "again": "another horse"}, "neither your"),
        ({"proof": PASSWORD, "new_password": "another horse", "again": "another hose"}, "differ"),
        ({"proof": PASSWORD, "new_password": "short", "again": "short"}, "too short"),
        ({}, "too short"),
    ],
)
def test_when_the_new_password_will_not_do_then_the_old_one_stays(form, problem):
    person = member("finance")
    client = log_in(person)

    answer = client.post(f"{ACCOUNT}password/", form)

    assert answer.status_code == 422
    assert problem in answer.content.decode()
    assert log_in(person).get("/admin/").status_code == 200


def test_when_sessions_are_ninety_days_old_then_they_are_forgotten():
    log_in(member("support"))
    log_in(member("support"))
    StaffSession.objects.filter(id=StaffSession.objects.earliest("id").id).update(
        last_seen_at=timezone.now() - timedelta(days=91)
    )

    assert forget_old_staff_sessions(now=timezone.now()) == 1
    assert StaffSession.objects.count() == 1
