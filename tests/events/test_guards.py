"""What happened stays: the audit trail, events and the log of calls are only ever appended, leaf by leaf."""

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, IntegrityError
from uuid_utils.compat import uuid7

from events import audit, outbox, partitions
from events.context import RequestContext, request_context
from events.models import AuditEntry, EventPosition, OutboxEntry
from tests.factories.people import CustomerFactory
from tests.factories.schema import checks_of, executed, fetched, indexes_of, leaves_of, triggers_of

APPEND_ONLY = ("events_event", "events_auditentry", "events_apicall")

ROWS = {
    "events_event": (
        "INSERT INTO events_event (id, position, type, data, request_id, traceparent, created_at)"
        " VALUES (%s, 1, 'wallet.created', '{}', '', '', now())"
    ),
    "events_auditentry": (
        "INSERT INTO events_auditentry (id, at, actor, action, object_type, object_id)"
        " VALUES (%s, now(), 'a', 'b', 'c', 'd')"
    ),
    "events_apicall": (
        "INSERT INTO events_apicall (id, at, principal, method, path, status, duration_us, request_id)"
        " VALUES (%s, now(), 'a', 'GET', '/', 200, 1, 'r')"
    ),
}


def leaf_of_this_month(table: str) -> str:
    return f"{table}_{datetime.now(UTC):%Y_%m}"


@pytest.fixture(params=["application", "owner"])
def role(request) -> str:
    request.getfixturevalue("as_owner" if request.param == "owner" else "db")
    return request.param


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("on_leaf", [False, True], ids=["parent", "leaf"])
@pytest.mark.parametrize("attack", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_when_the_past_is_changed_then_grants_and_guards_refuse(role, table, on_leaf, attack):
    executed(ROWS[table], uuid7())
    target = leaf_of_this_month(table) if on_leaf else table
    refusal = rf"on {table}\w* is refused: its rows are only ever appended"
    # The owner may do anything but this; the application isn't even asked.
    with pytest.raises(DatabaseError, match=refusal if role == "owner" else "permission denied"):
        executed(attack.format(target))

    assert fetched(f"SELECT count(*) FROM {table}")[0][0] >= 1


def test_when_the_guards_are_listed_then_each_one_is_attacked_here(db):
    assert triggers_of("events") == {
        (table, trigger) for table in APPEND_ONLY for trigger in ("refuse_change", "refuse_truncate")
    }


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_when_the_leaves_are_listed_then_each_has_guards_of_its_own(db, table):
    guards = fetched(
        "SELECT tgrelid::regclass::text, array_agg(tgname::text ORDER BY tgname) FROM pg_trigger"
        " WHERE tgrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass)"
        " AND NOT tgisinternal GROUP BY 1 ORDER BY 1",
        table,
    )

    assert guards == [(leaf, ["refuse_change", "refuse_truncate"]) for leaf in leaves_of(table)]
    assert len(guards) >= 8


@pytest.mark.parametrize("table", sorted(partitions.PARTITIONED))
def test_when_the_leaves_are_listed_then_the_application_may_reach_none_of_them_directly(db, table):
    for leaf in leaves_of(table):
        with pytest.raises(DatabaseError, match="permission denied"):
            executed(f"SELECT * FROM {leaf}")


def test_when_a_month_lies_beyond_the_partitions_then_they_are_made_with_their_guards(as_owner):
    assert partitions.make_ahead() == []

    made = partitions.make_ahead(months=8)

    months = sorted({name[-7:] for name in made})
    assert len(made) == 8
    assert len(months) == 2
    for table, append_only in partitions.PARTITIONED.items():
        leaf = f"{table}_{months[0]}"
        assert leaf in leaves_of(table)
        if append_only:
            with pytest.raises(DatabaseError, match="only ever appended"):
                executed(f"TRUNCATE {leaf}")


def test_when_there_is_a_second_row_of_positions_then_it_is_refused(as_owner):
    with pytest.raises(IntegrityError, match="event_position_is_one_row"):
        executed("INSERT INTO events_eventposition (id, last) VALUES (2, 0)")

    assert list(EventPosition.objects.values_list("id")) == [(1,)]


def test_when_there_is_a_second_place_to_read_notices_from_then_it_is_refused(as_owner):
    with pytest.raises(IntegrityError, match="notice_place_is_one_row"):
        executed("INSERT INTO events_noticeplace (id, position) VALUES (2, 0)")


@pytest.mark.parametrize(
    ("status", "finished_at"), [("lost", "now()"), ("pending", "now()"), ("sent", "NULL")]
)
def test_when_a_notice_is_in_no_possible_state_then_it_is_refused(db, status, finished_at):
    with pytest.raises(IntegrityError, match="notification_status_is_known"):
        executed(
            "INSERT INTO events_notification (id, event_id, event_type, user_id, channel, notice, facts, status,"
            " attempts, due_at, last_error, request_id, created_at, finished_at)"
            f" VALUES (%s, %s, '', %s, 'email', '', '{{}}', %s, 0, now(), '', '', now(), {finished_at})",
            *(uuid7(), uuid7(), CustomerFactory.create().id, status),
        )


def test_when_a_delivery_or_an_endpoint_has_an_unknown_state_then_it_is_refused(db):
    with pytest.raises(IntegrityError, match="events_webhookdelivery_status_check"):
        executed(
            "INSERT INTO events_webhookdelivery (id, endpoint_id, event_id, event_position, status, created_at)"
            " VALUES (%s, %s, %s, 1, 'lost', now())",
            *(uuid7(), uuid7(), uuid7()),
        )
    with pytest.raises(IntegrityError, match="webhook_endpoint_status_is_known"):
        executed(
            "INSERT INTO events_webhookendpoint (id, owner, url, description, event_types, sealed_secret,"
            " sealed_previous_secret, status, disabled_reason, created_at, updated_at)"
            " VALUES (%s, 'a', 'b', '', '[]', 'c', '', 'lost', '', now(), now())",
            uuid7(),
        )


def test_when_the_checks_are_listed_then_each_one_is_attacked_here(db):
    # `clock_runs_ahead` is attacked beside the clock's other tests.
    assert checks_of("events") == {
        "clock_runs_ahead",
        "event_position_is_one_row",
        "notice_place_is_one_row",
        "notification_status_is_known",
        "events_webhookdelivery_status_check",
        "webhook_endpoint_status_is_known",
    }


def test_when_the_indexes_are_listed_then_there_are_these_and_no_others(db):
    assert indexes_of("events") == {
        "api_call_by_principal": "btree (principal, id)",
        "api_call_by_request": "btree (request_id)",
        "api_call_by_wallet": "btree (wallet_id, id) WHERE (wallet_id IS NOT NULL)",
        "events_apicall_pkey": "btree (id)",
        "audit_by_action": "btree (action, id)",
        "audit_by_actor": "btree (actor, id)",
        "audit_by_object": "btree (object_id, object_type, id)",
        "audit_by_request": "btree (request_id) WHERE ((request_id)::text <> ''::text)",
        "events_auditentry_pkey": "btree (id)",
        "events_clocklead_pkey": "btree (id)",
        "event_by_position": 'btree ("position")',
        "event_by_request": "btree (request_id) WHERE ((request_id)::text <> ''::text)",
        "event_by_user": 'btree (user_id, "position") WHERE (user_id IS NOT NULL)',
        "event_by_wallet": 'btree (wallet_id, "position") WHERE (wallet_id IS NOT NULL)',
        "events_event_pkey": "btree (id)",
        "events_eventposition_pkey": "btree (id)",
        "events_failedwork_pkey": "btree (id)",
        "failed_work_once": "btree (kind, object_id)",
        "events_noticeplace_pkey": "btree (id)",
        "events_notification_pkey": "btree (id)",
        "events_notification_user_id_4644c4f1": "btree (user_id)",
        "notification_due": "btree (due_at) WHERE ((status)::text = 'pending'::text)",
        "notification_finished": "btree (finished_at)",
        "notification_once_for_event": "btree (event_id, user_id, channel)",
        "events_outbox_pkey": "btree (id)",
        "outbox_by_number": "btree (number NULLS FIRST)",
        "delivery_by_endpoint": "btree (endpoint_id, id)",
        "delivery_by_event": "btree (event_id)",
        "delivery_again": "btree (endpoint_id, due_at) WHERE (((status)::text = 'pending'::text) AND (attempts > 0))",
        "delivery_first": "btree (endpoint_id, event_position) WHERE (((status)::text = 'pending'::text)"
        " AND (attempts = 0))",
        "events_webhookdelivery_pkey": "btree (id)",
        "events_webhookendpoint_pkey": "btree (id)",
        "webhook_endpoint_by_owner": "btree (owner, id)",
        "events_webhookendpoint_user_id_3c43fb19": "btree (user_id)",
    }


def test_when_something_is_recorded_then_it_carries_its_request_and_lands_in_this_month(db):
    object_id = uuid7()

    with request_context(
        RequestContext(request_id="request-1", traceparent="00-a-b-01", address="192.0.2.7")
    ):
        audit.record(
            actor="support:1",
            action="wallet.suspended",
            object_type="wallet",
            object_id=object_id,
            from_state="active",
            to_state="suspended",
            reason="fraud",
            after={"label": "x"},
        )
        outbox.record("wallet.suspended", {"id": object_id})

    entry = AuditEntry.objects.get(object_id=str(object_id))
    assert (entry.actor, entry.action, entry.object_type) == ("support:1", "wallet.suspended", "wallet")
    assert (entry.from_state, entry.to_state, entry.reason) == ("active", "suspended", "fraud")
    assert (entry.before, entry.after) == (None, {"label": "x"})
    assert (entry.request_id, entry.address) == ("request-1", "192.0.2.7")
    assert fetched("SELECT tableoid::regclass::text FROM events_auditentry WHERE id = %s", entry.id) == [
        (leaf_of_this_month("events_auditentry"),)
    ]
    event = OutboxEntry.objects.get(payload__id=str(object_id))
    assert (event.kind, event.request_id, event.traceparent) == ("wallet.suspended", "request-1", "00-a-b-01")
