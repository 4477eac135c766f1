"""Two customers with one of everything, and calls that name what belongs to the one or the other."""

import json
from typing import Any

import orjson
from uuid_utils.compat import uuid7

from events import relay
from events.models import WebhookEndpoint
from tests.access.matrix import MATRIX, Call
from tests.factories.calls import ApiClient
from tests.factories.money import new_wallet
from tests.factories.people import CustomerFactory, someone

KINDS = (
    "wallet",
    "receiver",
    "transaction",
    "transfer",
    "token",
    "payment",
    "hold",
    "adjustment",
    "refund",
    "user",
    "session",
    "googles_session",
    "event",
    "webhook_endpoint",
    "webhook_delivery",
    "failed_work",
    "import",
    "break",
)


def filled(template: Any, ids: dict[str, str]) -> Any:
    """Put ids in the place of `{wallet}` and the like, in a path or in JSON."""
    text = orjson.dumps(template).decode().replace("<str:provider>", "sandbox")
    for kind, value in ids.items():
        text = text.replace(f"{{{kind}}}", value)
    return json.loads(text)


def made(client: ApiClient, method: str, path: str, call: Call, ids: dict[str, str], **changed: str) -> Any:
    """Make the call with these ids; `changed` puts others into single fields of body or query."""
    query, body = filled(call.query, ids), filled(call.body, ids)
    for name, value in changed.items():
        (query if name in query else body)[name] = value
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return client.call(method, filled(path, ids) + (f"?{text}" if text else ""), body)


def ghosts() -> dict[str, str]:
    """Ids of nothing at all."""
    return {kind: str(uuid7()) for kind in KINDS}


def two_customers(connect: Any = ApiClient) -> tuple[Any, dict[str, str], dict[str, str]]:
    """Make them: the first one's client and ids, and the other one's ids. `connect` makes somebody's client."""
    everything = []
    for customer in (CustomerFactory.create(), CustomerFactory.create()):
        client = connect(customer)
        wallet_id = str(new_wallet(5_000, owner=customer))
        card = MATRIX["POST", "/tokens/card"].body
        token = client.post("/tokens/card", {name: card[name] for name in card if name != "user_id"}).json()
        funded = client.post(
            f"/wallet/{wallet_id}/fund", {"amount": 700, "currency": "USD", "token_id": token["id"]}
        ).json()
        rule = {"threshold": 500, "amount": 1000, "token_id": token["id"]}
        assert client.put(f"/wallet/{wallet_id}/auto-top-up", rule).status_code == 200
        hold = client.post(f"/wallet/{wallet_id}/holds", {"amount": 50, "currency": "USD"}).json()
        adjustment = connect(someone("support")).post(
            f"/admin/wallets/{wallet_id}/adjustments", {"amount": 5, "currency": "USD", "reason": "a slip"}
        )
        client.post(f"/wallet/{wallet_id}/payment-methods", {"token_id": token["id"]})
        sessions = [
            client.post(f"/payment/{scheme}/init", {"wallet_id": wallet_id, "amount": 100, "currency": "USD"})
            for scheme in ("apple-pay", "google-pay")
        ]
        hook = connect(someone("service")).post(
            "/webhook-endpoints", MATRIX["POST", "/webhook-endpoints"].body
        )
        WebhookEndpoint.objects.update(status="disabled")  # nobody is to be sent what other tests publish
        relay.publish_waiting()
        line = client.get(f"/transactions/{funded['transaction_id']}").json()
        refund = client.post(
            "/refunds", {"transaction_id": line["id"], "amount": 3, "reason": "other"}
        ).json()
        ids = {
            "wallet": wallet_id,
            "transaction": line["id"],
            "transfer": line["transfer_id"],
            "token": token["id"],
            "payment": funded["payment_id"],
            "session": sessions[0].json()["session_id"],
            "googles_session": sessions[1].json()["session_id"],
            "hold": hold["id"],
            "adjustment": adjustment.json()["id"],
            "refund": refund["id"],
            "event": client.get("/events").json()["results"][0]["id"],
            "webhook_endpoint": hook.json()["id"],
            "webhook_delivery": str(uuid7()),
            "failed_work": str(uuid7()),
            "import": str(uuid7()),
            "break": str(uuid7()),
            "user": str(customer.id),
        }
        everything.append((client, ids))
    (client, own), (_other, foreign) = everything
    own["receiver"] = foreign["receiver"] = str(new_wallet())
    return client, own, foreign


def telling(answer: Any) -> dict[str, Any]:
    """The problem without what repeats the request."""
    return {name: value for name, value in answer.json().items() if name not in ("instance", "request_id")}
