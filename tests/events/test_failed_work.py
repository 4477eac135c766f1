"""Work that keeps failing: counted, told after five tries, tried again by people, and gone with a success."""

import pytest
import structlog
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils.module_loading import autodiscover_modules
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from config import sweep_outcomes
from config.celery import app
from config.gateway.figures import figures
from events import failed_work
from events.failed_work import SWEEP, WorkKind, note_failure, note_success, retry_work
from events.models import AuditEntry, FailedWork
from tests.factories.calls import ApiClient
from tests.factories.holds import staff
from tests.factories.people import someone
from users.models import User
from users.refusals import PermissionDenied

pytestmark = pytest.mark.django_db

KIND = "tests.work"


@pytest.fixture(autouse=True)
def fresh_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that goes by today's configuration, whatever another test's was."""
    monkeypatch.setattr(failed_work, "logger", structlog.get_logger())


@pytest.fixture
def made_due(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A kind of work, and the objects of it that were made due."""
    objects: list[str] = []
    monkeypatch.setitem(failed_work.kinds, KIND, WorkKind("tests.try_it", objects.append))
    return objects


def failing(times: int, *, kind: str = KIND) -> FailedWork:
    for number in range(times):
        note_failure(kind=kind, object_id="one", error=f"error {number}")
    return FailedWork.objects.get(kind=kind, object_id="one")


def test_when_work_fails_again_and_again_then_people_are_told_once_at_the_fifth_try():
    with capture_logs() as logged:
        work = failing(7)

    assert (work.tries, work.error) == (7, "error 6")
    assert work.first_failed_at < work.last_failed_at
    assert [(entry["event"], entry["log_level"], entry["tries"]) for entry in logged] == [
        ("work_failed", "error", 5)
    ]


def test_when_it_succeeds_then_its_entry_is_gone_and_the_count_begins_anew():
    failing(4)
    note_success(kind=KIND, object_id="one")

    assert failing(1).tries == 1


def test_when_an_error_is_long_then_its_beginning_is_kept():
    note_failure(kind=KIND, object_id="one", error="x" * 1000)

    assert FailedWork.objects.get(kind=KIND).error == "x" * 200


def test_when_the_gauge_is_read_then_it_counts_what_people_have_to_look_at():
    failing(5)
    note_failure(kind=KIND, object_id="another", error="once")

    reading = figures.read()

    assert (KIND, 1) in reading.rows["open_wallet_failed_work"]


def test_when_people_try_it_again_then_it_is_due_its_tries_count_anew_and_it_is_written_down(made_due):
    work, admin = failing(6), staff("admin")

    bell = retry_work(work_id=work.id, principal=admin)

    assert (bell, made_due) == (("tests.try_it", ("one",)), ["one"])
    work.refresh_from_db()
    assert work.tries == 0
    entry = AuditEntry.objects.get(action="failed_work.retried")
    assert (entry.actor, entry.object_type, entry.object_id, entry.before) == (
        admin.name,
        KIND,
        "one",
        {"tries": 6},
    )


def test_when_a_whole_sweep_failed_then_the_sweep_itself_is_rung():
    note_failure(kind=SWEEP, object_id="payments.sweep_due_refunds", error="x")
    work = FailedWork.objects.get(kind=SWEEP)

    assert retry_work(work_id=work.id, principal=staff("admin")) == ("payments.sweep_due_refunds", ())


def test_when_it_was_done_meanwhile_then_nothing_is_rung(made_due):
    work = failing(6)
    note_success(kind=KIND, object_id="one")

    assert retry_work(work_id=work.id, principal=staff("admin")) is None
    assert made_due == []


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "finance"}])
def test_when_the_right_was_lost_since_the_log_in_then_nothing_is_tried(made_due, change):
    work, admin = failing(6), staff("admin")
    User.objects.filter(id=admin.id).update(**change)

    with pytest.raises(PermissionDenied):
        retry_work(work_id=work.id, principal=admin)

    assert (made_due, failing(1).tries) == ([], 7)


@pytest.mark.parametrize("kind", sorted(failed_work.kinds))
def test_when_a_kind_is_listed_then_its_bell_is_a_task_and_nothing_is_made_due_without_a_row(kind):
    autodiscover_modules("tasks")

    assert failed_work.kinds[kind].task in app.tasks
    assert not failed_work.kinds[kind].make_due("01900000-0000-7000-8000-000000000000")


class TestSweeps:
    """Whole sweeps, by Celery's signals and without Celery."""

    SWEPT = "payments.sweep_due_refunds"

    def test_when_a_sweep_fails_then_it_is_noted_until_it_succeeds(self):
        task = app.tasks[self.SWEPT]

        sweep_outcomes._failed(sender=task, exception=KeyError("a bug"))
        noted = list(FailedWork.objects.values_list("kind", "object_id", "error"))
        sweep_outcomes._succeeded(sender=task)

        assert noted == [(SWEEP, self.SWEPT, "KeyError('a bug')")]
        assert FailedWork.objects.count() == 0

    def test_when_a_doorbell_fails_then_its_row_is_left_to_the_sweep(self):
        sweep_outcomes.note_outcome("payments.execute_refund", KeyError("a bug"))

        assert FailedWork.objects.count() == 0


class TestScreen:
    """The list in the back office."""

    @pytest.fixture
    def work(self, made_due: list[str]) -> FailedWork:
        return failing(6)

    def retry_url(self, work: FailedWork) -> str:
        return f"/admin/events/failedwork/{work.id}/retry/"

    def browser_of(self, role: str) -> Client:
        client = Client()
        client.force_login(someone(role))
        return client

    def test_when_an_administrator_tries_it_again_then_it_is_due(self, work, made_due):
        client = self.browser_of("admin")
        listed = client.get("/admin/events/failedwork/").content.decode()
        page = client.get(f"/admin/events/failedwork/{work.id}/change/").content.decode()

        answer = client.post(self.retry_url(work), follow=True)

        assert "error 5" in listed
        assert self.retry_url(work) in page
        assert "It is due now and will be tried again." in answer.content.decode()
        assert made_due == ["one"]

    def test_when_somebody_else_opens_it_then_they_may_only_look(self, work, made_due):
        client = self.browser_of("support")

        page = client.get(f"/admin/events/failedwork/{work.id}/change/").content.decode()
        answer = client.post(self.retry_url(work), follow=True)

        assert self.retry_url(work) not in page
        assert "This is not allowed." in answer.content.decode()
        assert made_due == []

    def test_when_it_is_done_meanwhile_then_it_says_so(self, work, made_due):
        note_success(kind=KIND, object_id="one")

        answer = self.browser_of("admin").post(self.retry_url(work), follow=True)

        assert "It has been done meanwhile." in answer.content.decode()

    def test_when_it_is_no_post_then_nothing_is_tried(self, work, made_due):
        assert self.browser_of("admin").get(self.retry_url(work)).status_code == 405
        assert made_due == []


def test_when_the_table_can_not_be_written_then_whoever_is_busy_with_a_failure_goes_on():
    with capture_logs() as logged:
        note_failure(kind="x" * 65, object_id="one", error="x")

    assert [entry["event"] for entry in logged] == ["failure_not_noted"]


def test_when_a_command_names_failed_work_then_it_is_due_and_the_trail_says_so(made_due, capsys):
    work = failing(5)

    call_command("retry_failed_work")
    call_command("retry_failed_work", str(work.id))

    listed, due = capsys.readouterr().out.splitlines()
    assert listed == f"{work.id}  {KIND} one: 5 tries, error 4"
    assert due == f"{work.id} is due now."
    assert (made_due, FailedWork.objects.get(id=work.id).tries) == (["one"], 0)
    entry = AuditEntry.objects.get(action="failed_work.retried", object_id="one")
    assert (entry.actor, entry.before) == ("command", {"tries": 5})


def test_when_a_command_names_nothing_that_fails_then_it_ends_with_an_error(made_due):
    ghost = uuid7()

    with pytest.raises(CommandError, match=f"no such failed work: {ghost}"):
        call_command("retry_failed_work", str(ghost))

    assert made_due == []


def test_when_the_api_lists_and_retries_then_it_does_what_the_page_does(made_due):
    work, admin = failing(5), ApiClient(someone("admin"))

    listed = admin.call("GET", "/admin/failed-work")
    answers = [
        admin.call("POST", f"/admin/failed-work/{work.id}/retry", {}, key="retry-once") for _ in range(2)
    ]

    (shown,) = listed.json()["results"]
    assert (shown["id"], shown["kind"], shown["object_id"]) == (str(work.id), KIND, "one")
    assert (shown["tries"], shown["error"]) == (5, "error 4")
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (200, {"id": str(work.id), "status": "due"})
    ] * 2
    assert AuditEntry.objects.filter(action="failed_work.retried", object_id="one").count() == 1


def test_when_nothing_such_fails_then_the_api_answers_404(made_due):
    answer = ApiClient(someone("admin")).call("POST", f"/admin/failed-work/{uuid7()}/retry", {})

    assert (answer.status_code, made_due) == (404, [])
