"""The audit trail over the API: found by every filter, paged by key, exported without formulas."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from uuid_utils.compat import uuid7

from events import audit, audit_log
from events.context import RequestContext, request_context
from events.models import AuditEntry
from tests.factories.calls import ApiClient
from tests.factories.people import someone


@pytest.fixture
def auditor(db) -> ApiClient:
    """Somebody who may read the trail."""
    return ApiClient(someone("auditor"))


def note(**facts) -> AuditEntry:
    """Write one entry about a thing of its own."""
    thing = uuid7()
    defaults = {
        "actor": "support:tester",
        "action": "wallet.suspended",
        "object_type": "wallet",
        "object_id": thing,
    }
    audit.record(**{**defaults, **facts})
    return AuditEntry.objects.order_by("-id").first()


def exported(answer) -> list[dict[str, str]]:
    """Read a CSV answer."""
    return list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))


def test_when_an_entry_is_read_then_it_tells_who_what_when_from_where_and_why(auditor):
    with request_context(RequestContext(request_id="req-12345678", address="203.0.113.9")):
        entry = note(
            from_state="active",
            to_state="suspended",
            reason="fraud",
            before={"label": "a"},
            after={"label": "b"},
        )

    answer = auditor.get(f"/admin/audit-log?object_id={entry.object_id}")

    assert answer.status_code == 200
    assert answer.json() == {
        "results": [
            {
                "id": str(entry.id),
                "at": entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "actor": "support:tester",
                "action": "wallet.suspended",
                "object_type": "wallet",
                "object_id": entry.object_id,
                "from_state": "active",
                "to_state": "suspended",
                "reason": "fraud",
                "before": {"label": "a"},
                "after": {"label": "b"},
                "request_id": "req-12345678",
                "address": "203.0.113.9",
            }
        ],
        "next": None,
        "previous": None,
    }


@pytest.mark.parametrize("name", ["actor", "action", "object_type", "object_id", "request_id"])
def test_when_the_trail_is_narrowed_then_only_what_fits_is_listed(auditor, name):
    wanted = str(uuid7())[:32]
    with request_context(RequestContext(request_id=wanted if name == "request_id" else "another-request")):
        entry = note(**({} if name == "request_id" else {name: wanted}))
    note()

    found = auditor.get(f"/admin/audit-log?{name}={wanted}").json()["results"]

    assert [one["id"] for one in found] == [str(entry.id)]


def test_when_a_span_of_time_is_asked_for_then_its_end_is_excluded(auditor):
    entry = note()
    written_at = datetime.fromtimestamp((entry.id.int >> 80) / 1000, UTC)

    def found(**span: datetime) -> bool:
        query = "&".join(
            f"{name}={moment.replace(tzinfo=None).isoformat()}Z" for name, moment in span.items()
        )
        results = auditor.get(f"/admin/audit-log?object_id={entry.object_id}&{query}").json()["results"]
        return [one["id"] for one in results] == [str(entry.id)]

    millisecond = timedelta(milliseconds=1)

    assert found(created_from=written_at, created_to=written_at + millisecond)
    assert not found(created_from=written_at + millisecond)
    assert found(created_from=datetime(1, 1, 1, tzinfo=UTC), created_to=datetime(9999, 12, 31, tzinfo=UTC))
    assert not found(created_to=datetime(1969, 12, 31, tzinfo=UTC))
    assert not found(created_to=written_at)


def test_when_the_trail_is_paged_then_each_entry_comes_once_newest_first(auditor):
    thing = uuid7()
    entries = [str(note(object_id=thing).id) for _ in range(5)]

    paths, path = [], f"/admin/audit-log?object_id={thing}&limit=2"
    while path:
        answer = auditor.get(path).json()
        paths.append([one["id"] for one in answer["results"]])
        path = (answer["next"] or "").partition("/api/v1")[2]

    assert paths == [entries[:2:-1], entries[2:0:-1], entries[:1]]


def test_when_the_trail_is_exported_then_every_entry_is_in_it_and_no_cell_is_a_formula(auditor, monkeypatch):
    monkeypatch.setattr(audit_log, "ENTRIES_AT_ONCE", 2)
    thing = uuid7()
    for reason in ("=1+1", "plain", "@SUM(A1)", "-2", "+3"):
        note(object_id=thing, reason=reason, after={"a": 1})

    answer = auditor.get(f"/admin/audit-log?object_id={thing}&format=csv&limit=1")
    rows = exported(answer)

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    assert [row["reason"] for row in rows] == ["'+3", "'-2", "'@SUM(A1)", "plain", "'=1+1"]
    assert {(row["object_id"], row["before"], row["after"], row["from_state"]) for row in rows} == {
        (str(thing), "", '{"a":1}', "")
    }
    newest = AuditEntry.objects.filter(object_id=str(thing)).order_by("-id").first()
    assert (rows[0]["id"], rows[0]["at"]) == (str(newest.id), newest.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def test_when_the_trail_is_read_then_that_is_in_the_trail(db):
    person = someone("auditor")
    thing = uuid7()

    ApiClient(person).get(f"/admin/audit-log?object_id={thing}&format=csv")

    entry = AuditEntry.objects.get(actor=f"auditor:{person.id}")
    assert (entry.action, entry.object_type) == ("audit.read", "audit")
    assert entry.after == {"path": "/api/v1/admin/audit-log", "query": f"object_id={thing}&format=csv"}
    assert entry.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("query", "field"),
    [("created_from=yesterday", "created_from"), ("format=xml", "format"), ("limit=0", "limit")],
)
def test_when_the_query_makes_no_sense_then_it_is_refused_by_name(auditor, query, field):
    answer = auditor.get(f"/admin/audit-log?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
