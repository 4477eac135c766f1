"""The requests that the load is made of: whole HTTP messages, but for the idempotency key of each."""

import json
import random
from typing import Any

from uuid_utils.compat import uuid7

from tests.benchmarks.load import KEY
from tests.benchmarks.numbered import CURRENCIES, wallet_id
from tests.benchmarks.transfer_steps import AMOUNT, TRANSFER_PATH, access_token, transfer_body
from users.credentials import sign_access
from users.roles import ROLES, SERVICE

COUNT = 4000


def own_requests(*, port: int, customers: int) -> tuple[list[str], list[str]]:
    """Make transfers between random customers, each sent by the source's owner, and reads of the sources."""
    tokens = [access_token(customer=customer) for customer in range(customers)]
    transfers, reads = [], []
    for _ in range(COUNT):
        customer, target = random.sample(range(customers), 2)
        place = random.randrange(len(CURRENCIES))
        source = customer * len(CURRENCIES) + place
        body = transfer_body(source=source, target=target * len(CURRENCIES) + place)
        transfers.append(_post(TRANSFER_PATH, port, tokens[customer], body))
        reads.append(_get(f"/api/v1/wallet/{wallet_id(source)}", port, tokens[customer]))
    return transfers, reads


def requests_into_one(*, port: int, customers: int) -> tuple[list[str], list[str]]:
    """Make transfers of many customers into one wallet, and their payments into the merchant's account."""
    tokens = [access_token(customer=customer) for customer in range(customers)]
    transfers, payments = [], []
    for _ in range(COUNT):
        customer = random.randrange(1, customers)
        source = customer * len(CURRENCIES)
        body = transfer_body(source=source, target=0)
        transfers.append(_post(TRANSFER_PATH, port, tokens[customer], body))
        payment = {"amount": AMOUNT, "currency": CURRENCIES[0]}
        path = f"/api/v1/wallet/{wallet_id(source)}/pay"
        payments.append(_post(path, port, tokens[customer], payment))
    return transfers, payments


def batch_requests(*, port: int, customers: int, size: int) -> list[str]:
    """Make batches of transfers between random customers, as a service client sends them; each among its own quarter.

    Two at once then don't wait for each other's wallets, as batches of two clients seldom do.
    """
    token = sign_access(bearer_id=uuid7(), role=SERVICE, permissions=ROLES[SERVICE])
    requests = []
    for quarter in range(4):
        items = []
        for _ in range(size):
            source, target = random.sample(range(quarter, customers, 4), 2)
            place = random.randrange(len(CURRENCIES))
            items.append(
                transfer_body(
                    source=source * len(CURRENCIES) + place, target=target * len(CURRENCIES) + place
                )
            )
        body = {"transfers": items, "atomic": False}
        requests.append(_post("/api/v1/wallet/transfer/batch", port, token, body))
    return requests


def usual_requests(*, port: int, customers: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Make the same for the baseline, whose customers come with their tokens and wallets."""
    transfers, reads = [], []
    for _ in range(COUNT):
        source, target = random.sample(customers, 2)
        place = random.randrange(len(CURRENCIES))
        body = {
            "from_wallet": source["wallets"][place],
            "to_wallet": target["wallets"][place],
            "amount": AMOUNT,
            "currency": CURRENCIES[place],
        }
        transfers.append(_post("/wallet/transfer", port, source["token"], body))
        reads.append(_get(f"/wallet/{source['wallets'][place]}", port, source["token"]))
    return transfers, reads


def _post(path: str, port: int, token: str, body: dict[str, Any]) -> str:
    text = json.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Idempotency-Key: {KEY.decode()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    )


def _get(path: str, port: int, token: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
