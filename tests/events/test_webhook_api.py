"""Webhook endpoints over HTTP: made once for a key, their secrets shown once and kept sealed, out of others' reach."""

from typing import Any

import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook
from uuid_utils.compat import uuid7

from events import relay, webhooks
from events.models import AuditEntry, WebhookDelivery, WebhookEndpoint
from tests.events.receivers import receiver
from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.money import new_wallet
from tests.factories.people import CustomerFactory, someone
from tests.factories.schema import fetched
from tokens.rotation import rotate_column, sealed_columns
from users.sealing import open_sealed

URL = "http://127.0.0.1:9/hooks"


@pytest.fixture
def shop(db) -> ApiClient:
    return ApiClient(someone("service"))


def made(client: ApiClient, **facts: Any) -> dict[str, Any]:
    answer = client.post("/webhook-endpoints", {"url": URL, **facts})
    assert answer.status_code == 201
    return answer.json()


def test_when_an_endpoint_is_made_then_it_hears_of_everything_and_shows_its_secret_once(shop):
    endpoint = made(shop, description="Orders")

    secret = endpoint.pop("secret")
    assert (endpoint["url"], endpoint["description"], endpoint["event_types"], endpoint["status"]) == (
        URL,
        "Orders",
        ["*"],
        "enabled",
    )
    assert (endpoint["user_id"], endpoint["disabled_reason"], endpoint["previous_secret_until"]) == (
        None,
        None,
        None,
    )
    assert secret.startswith("whsec_")
    assert 24 <= len(Webhook(secret)._whsecret) <= 64
    shown = shop.get(f"/webhook-endpoints/{endpoint['id']}")
    assert shown.json() == endpoint
    assert (
        shop.get(f"/webhook-endpoints/{endpoint['id']}", **{"if-none-match": shown["ETag"]}).status_code
        == 304
    )
    assert shop.get("/webhook-endpoints").json()["results"] == [endpoint]
    entry = AuditEntry.objects.get(object_id=endpoint["id"])
    assert (entry.action, entry.to_state) == ("webhook_endpoint.created", "enabled")
    assert entry.after == {"url": URL, "description": "Orders", "event_types": ["*"]}


def test_when_the_secret_is_kept_then_it_is_sealed_in_every_table(shop):
    secret = made(shop)["secret"]

    tables = [
        "\n".join(row for (row,) in fetched(f"SELECT t::text FROM {table} AS t"))
        for table in ("events_webhookendpoint", "transactions_idempotencykey", "events_auditentry")
    ]
    bodies = [
        bytes(body)
        for (body,) in fetched("SELECT body FROM transactions_idempotencykey WHERE body IS NOT NULL")
    ]

    assert all(secret not in table and secret.removeprefix("whsec_") not in table for table in tables)
    assert bodies
    assert all(b"whsec_" not in body for body in bodies)


@pytest.mark.parametrize("call", ["create", "rotate"])
def test_when_a_call_is_repeated_with_its_key_then_the_answer_is_the_same_secret_and_all(shop, call):
    path = "/webhook-endpoints"
    body: dict[str, Any] = {"url": URL}
    changed: dict[str, Any] = {"url": URL, "description": "another one"}
    if call == "rotate":
        path = f"{path}/{made(shop)['id']}/rotate-secret"
        body, changed = {"overlap_s": 60}, {"overlap_s": 61}
    key = str(uuid7())

    first = shop.post(path, body, key=key)
    with nothing_moves():
        again = shop.post(path, body, key=key)
    other = shop.post(path, changed, key=key)

    assert again.content == first.content
    assert again.status_code == first.status_code == (201 if call == "create" else 200)
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert first.json()["secret"].startswith("whsec_")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert WebhookEndpoint.objects.count() == 1


def test_when_the_sealing_key_has_left_the_ring_then_a_repeated_call_shows_no_secret(shop, settings):
    old, new = settings.ENCRYPTION_KEYS[0], ("next", b"n" * 32)
    key = str(uuid7())
    first = shop.post("/webhook-endpoints", {"url": URL}, key=key)

    settings.ENCRYPTION_KEYS = (new,)
    again = shop.post("/webhook-endpoints", {"url": URL}, key=key)
    settings.ENCRYPTION_KEYS = (old,)

    assert again.json() == {**first.json(), "secret": None}


def test_when_keys_are_rotated_then_the_secrets_of_endpoints_are_sealed_anew(shop, settings):
    endpoint_id = made(shop)["id"]
    secret = shop.post(f"/webhook-endpoints/{endpoint_id}/rotate-secret", {}).json()["secret"]
    settings.ENCRYPTION_KEYS = (("next", b"n" * 32), *settings.ENCRYPTION_KEYS)

    columns = [(model, column) for model, column in sealed_columns() if model is WebhookEndpoint]
    for model, column in columns:
        rotate_column(model=model, column=column, batch_size=10)

    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    endpoint = WebhookEndpoint.objects.get()
    assert {column for _, column in columns} == {"sealed_secret", "sealed_previous_secret"}
    opened = open_sealed(
        endpoint.sealed_secret, table="events_webhookendpoint", column="sealed_secret", row_id=endpoint.id
    )
    assert Webhook(secret)._whsecret == opened
    assert endpoint.sealed_previous_secret.startswith("v1.next.")


def test_when_types_are_chosen_by_either_name_then_they_are_kept_once_each(shop):
    own = made(shop, event_types=["wallet.created", "wallet.created", "hold.voided"])
    stripe_s = made(shop, enabled_events=["*"])

    assert own["event_types"] == ["wallet.created", "hold.voided"]
    assert stripe_s["event_types"] == ["*"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": 5}, "url"),
        ({"url": URL, "event_types": []}, "event_types"),
        ({"url": URL, "event_types": "wallet.created"}, "event_types"),
        ({"url": URL, "event_types": ["wallet.ceated"]}, "event_types.0"),
        ({"url": URL, "event_types": ["*"], "enabled_events": ["*"]}, "enabled_events"),
        ({"url": URL, "description": "x" * 201}, "description"),
        ({"url": URL, "user_id": "nobody"}, "user_id"),
        ({"url": URL, "user_id": "0190b6d0-0000-7000-8000-000000000001"}, "user_id"),
    ],
)
def test_when_a_body_is_not_right_then_the_field_is_named_and_nothing_is_made(shop, body, field):
    with nothing_moves():
        answer = shop.post("/webhook-endpoints", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert not WebhookEndpoint.objects.exists()


def test_when_an_endpoint_is_changed_then_only_what_is_named_changes_and_the_trail_tells_both(shop):
    endpoint = made(shop, description="Orders")
    endpoint.pop("secret")

    changed = shop.patch(
        f"/webhook-endpoints/{endpoint['id']}", {"event_types": ["wallet.closed"], "status": "disabled"}
    ).json()
    enabled = shop.patch(f"/webhook-endpoints/{endpoint['id']}", {"status": "enabled"}).json()

    assert changed == {
        **endpoint,
        "event_types": ["wallet.closed"],
        "status": "disabled",
        "disabled_reason": changed["disabled_reason"],
        "updated_at": changed["updated_at"],
    }
    assert changed["disabled_reason"].startswith("disabled by service:")
    assert (enabled["status"], enabled["disabled_reason"]) == ("enabled", None)
    entries = AuditEntry.objects.filter(action="webhook_endpoint.changed").order_by("id")
    assert [(entry.from_state, entry.to_state) for entry in entries] == [
        ("enabled", "disabled"),
        ("disabled", "enabled"),
    ]
    assert (entries[0].before["event_types"], entries[0].after["event_types"]) == (["*"], ["wallet.closed"])


def test_when_a_url_is_changed_to_one_that_leads_inside_then_it_is_refused(shop):
    endpoint = made(shop)

    with nothing_moves():
        answer = shop.patch(f"/webhook-endpoints/{endpoint['id']}", {"url": "https://169.254.169.254/"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "url")
    assert WebhookEndpoint.objects.get().url == URL


def test_when_an_endpoint_is_deleted_then_it_is_gone_and_a_repeated_call_says_the_same(shop):
    path = f"/webhook-endpoints/{made(shop)['id']}"
    key = str(uuid7())

    answers = [shop.call("DELETE", path, key=key) for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert shop.get(path).status_code == 404
    assert shop.call("DELETE", path).status_code == 404
    assert shop.get("/webhook-endpoints").json()["results"] == []


def test_when_an_endpoint_is_another_program_s_then_it_looks_as_if_it_did_not_exist(shop):
    path = f"/webhook-endpoints/{made(shop)['id']}"
    other, admin = ApiClient(someone("service")), ApiClient(someone("admin"))

    calls = [
        ("GET", path, None),
        ("PATCH", path, {"description": "x"}),
        ("DELETE", path, None),
        ("POST", f"{path}/rotate-secret", {}),
        ("GET", f"{path}/deliveries", None),
    ]
    with nothing_moves():
        answers = [other.call(method, url, body) for method, url, body in calls]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "not_found")}
    assert other.get("/webhook-endpoints").json()["results"] == []
    assert admin.get(path).status_code == 200


@pytest.mark.parametrize("role", ["user", "support", "finance", "auditor"])
def test_when_a_role_may_not_manage_webhooks_then_it_is_refused(db, role):
    with nothing_moves():
        answer = ApiClient(someone(role)).post("/webhook-endpoints", {"url": URL})

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("overlap", [-1, 7 * 86_400 + 1, "60", 1.5])
def test_when_an_overlap_is_out_of_bounds_then_nothing_is_rotated(shop, overlap):
    endpoint_id = made(shop)["id"]
    sealed = WebhookEndpoint.objects.get().sealed_secret

    answer = shop.post(f"/webhook-endpoints/{endpoint_id}/rotate-secret", {"overlap_s": overlap})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "overlap_s")
    assert WebhookEndpoint.objects.get().sealed_secret == sealed


def test_when_no_overlap_is_wanted_then_the_former_secret_signs_nothing_more(shop):
    endpoint_id = made(shop)["id"]

    rotated = shop.post(f"/webhook-endpoints/{endpoint_id}/rotate-secret", {"overlap_s": 0}).json()

    assert rotated["previous_secret_until"] is None
    assert WebhookEndpoint.objects.get().sealed_previous_secret == ""


@pytest.fixture
def sent(committed) -> Any:
    """A program whose endpoint has taken one event and refused the next one, by a receiver that stays."""
    relay.publish_waiting()
    with receiver(lambda number, _: (200 if number != 1 else 500, {}, b"noted")) as server:
        client = ApiClient(someone("service"))
        endpoint = client.post(
            "/webhook-endpoints", {"url": server.url, "event_types": ["wallet.created"]}
        ).json()
        for _ in range(2):
            new_wallet()
            relay.publish_waiting()
            webhooks.send_due()
        yield client, endpoint, server
    WebhookEndpoint.objects.update(status="deleted")


def test_when_deliveries_are_listed_then_each_attempt_tells_what_went_and_came(sent):
    client, endpoint, server = sent
    path = f"/webhook-endpoints/{endpoint['id']}/deliveries"

    failed, succeeded = client.get(path).json()["results"]

    assert (succeeded["status"], succeeded["attempts"], succeeded["next_attempt_at"]) == (
        "succeeded",
        1,
        None,
    )
    assert (failed["status"], failed["attempts"], failed["finished_at"]) == ("pending", 1, None)
    assert succeeded["event_type"] == "wallet.created"
    assert succeeded["event_id"] == server.hooks[0].headers["webhook-id"]
    [attempt] = succeeded["log"]
    assert attempt["request_body"].encode() == server.hooks[0].body
    assert (attempt["status"], attempt["error"], attempt["response_body"]) == (200, None, "noted")
    assert client.get(f"{path}?status=pending").json()["results"] == [failed]
    page = client.get(f"{path}?limit=1").json()
    assert page["results"] == [failed]
    following = Client().get(page["next"], headers=client._headers).json()
    assert following["results"] == [succeeded]


def test_when_a_delivery_is_asked_for_again_then_it_goes_out_once_for_the_key(sent):
    client, endpoint, server = sent
    delivery = WebhookDelivery.objects.get(endpoint_id=endpoint["id"], status="succeeded")
    key = str(uuid7())

    first = client.post(f"/webhook-deliveries/{delivery.id}/redeliver", key=key)
    webhooks.send_due()
    again = client.post(f"/webhook-deliveries/{delivery.id}/redeliver", key=key)
    webhooks.send_due()
    with nothing_moves():
        stranger = ApiClient(someone("service")).post(f"/webhook-deliveries/{delivery.id}/redeliver", {})

    assert (first.status_code, first.json()["status"]) == (200, "pending")
    assert again.content == first.content
    ids = [hook.headers["webhook-id"] for hook in server.hooks]
    assert ids.count(str(delivery.event_id)) == 2
    assert (stranger.status_code, stranger.json()["code"]) == (404, "not_found")


def test_when_events_are_read_then_a_customer_sees_its_own_newest_first(db):
    alice, bob = CustomerFactory.create(), CustomerFactory.create()
    wallet_id = new_wallet(500, owner=alice)
    new_wallet(owner=bob)
    relay.publish_waiting()
    client = ApiClient(alice)

    events = client.get("/events").json()["results"]

    assert [event["type"] for event in events] == [
        "wallet.balance_changed",
        "transaction.completed",
        "transaction.created",
        "wallet.created",
    ]
    positions = [event["position"] for event in events]
    assert positions == list(range(positions[0], positions[0] - 4, -1))
    assert [event["seq"] for event in events] == [1, 1, 1, 0]
    assert {event["wallet_id"] for event in events} == {str(wallet_id)}
    assert set(events[0]) == {
        "id",
        "type",
        "position",
        "wallet_id",
        "seq",
        "user_id",
        "request_id",
        "data",
        "created_at",
    }
    one = client.get(f"/events/{events[0]['id']}")
    assert one.json() == events[0]
    assert client.get(f"/events/{events[0]['id']}", **{"if-none-match": one["ETag"]}).status_code == 304
    assert ApiClient(bob).get(f"/events/{events[0]['id']}").status_code == 404
    assert len(ApiClient(someone("finance")).get("/events?limit=5").json()["results"]) == 5


def test_when_events_are_narrowed_then_only_those_are_listed_page_by_page(db):
    alice = CustomerFactory.create()
    wallet_id, other = new_wallet(1, owner=alice), new_wallet(1, owner=alice, currency="EUR")
    relay.publish_waiting()
    client = ApiClient(alice)

    of_wallet = client.get(f"/events?wallet_id={wallet_id}").json()["results"]
    created = client.get("/events?type=wallet.created").json()["results"]
    found, url = [], "/events?limit=3"
    while url:
        page = client.get(url.removeprefix("http://testserver/api/v1")).json()
        found += page["results"]
        url = page["next"]
    unknown = client.get("/events?type=wallet.ceated")

    assert {event["wallet_id"] for event in of_wallet} == {str(wallet_id)}
    assert [event["wallet_id"] for event in created] == [str(other), str(wallet_id)]
    assert [event["position"] for event in found] == sorted((e["position"] for e in found), reverse=True)
    assert len(found) == len({event["id"] for event in found}) == 8
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (400, "type")
