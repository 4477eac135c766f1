"""One effect of the outbox taken apart into the events that clients are told.

An entry holds all that its events show: nothing is read again, so that an event tells what was true when it
happened. Entries of the book (`transfer.*`) are the ledger's rows in short form; every other entry is an event
already, under the name of its type.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from events.event_types import BATCH_KIND

_ENDED_UNPOSTED = ("failed", "cancelled")
# What an entry tells the relay and not the client, who finds the customer beside the data.
_FOR_THE_RELAY = frozenset({"accounts", "user_id"})


@dataclass(slots=True)
class Draft:
    """An event without its position; `wallet_seq` is None where the effect is no line of the wallet."""

    type: str
    wallet_id: str | None
    wallet_seq: int | None
    user_id: str | None
    data: dict[str, Any]


def expand(kind: str, payload: dict[str, Any]) -> list[Draft]:
    """Give the events of one entry, those of each wallet in the order in which they follow from each other."""
    if kind == BATCH_KIND:
        return [draft for one in _of_batch(payload) for draft in _of_transfer("completed", one)]
    if kind.startswith("transfer."):
        return list(_of_transfer(kind.removeprefix("transfer."), payload))
    drafts = [_as_written(kind, payload)]
    drafts += [_balance_changed(account, None) for account in payload.get("accounts", ())]
    return drafts


def _as_written(kind: str, payload: dict[str, Any]) -> Draft:
    is_wallet = kind.startswith("wallet.") and "wallet_id" not in payload
    hidden = {"accounts"} if is_wallet else _FOR_THE_RELAY
    return Draft(
        type=kind,
        wallet_id=payload["id"] if is_wallet else payload.get("wallet_id"),
        wallet_seq=None,
        user_id=payload.get("user_id"),
        data={name: value for name, value in payload.items() if name not in hidden},
    )


def _of_batch(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give each transfer of a batch as an entry of its own would have it."""
    for transfer_id, description, metadata, currency, lines in payload["transfers"]:
        yield {
            "transfer": transfer_id,
            "kind": "transfer",
            "is_new": True,
            "description": description,
            "reference": "",
            "metadata": metadata,
            "payment_id": None,
            "refund_of": None,
            "failure_code": "",
            "effective_at": payload["at"],
            "created_at": payload["at"],
            "lines": [
                (
                    line_id,
                    account,
                    "transfer_out" if amount < 0 else "transfer_in",
                    amount,
                    currency,
                    seq,
                    balance,
                    at,
                )
                for line_id, account, amount, seq, balance, _, at in lines
            ],
            "accounts": [(account, currency, balance, held) for _, account, _, _, balance, held, _ in lines],
        }


def _of_transfer(status: str, payload: dict[str, Any]) -> Iterator[Draft]:
    lines = [_line(status, payload, line) for line in payload["lines"]]
    if payload["is_new"]:
        for line in lines:
            yield _of_line("transaction.created", line)
    if status in _ENDED_UNPOSTED:
        for line in lines:
            yield _of_line("transaction.failed", line)
    elif status == "completed":
        for line in lines:
            yield _of_line("transaction.completed", line)
        if payload["kind"] == "transfer":
            yield _transfer_completed(payload, lines)
    seqs = {line["wallet_id"]: line["seq"] for line in lines}
    for account in payload["accounts"]:
        yield _balance_changed(account, seqs.get(account[0]))


def _line(status: str, payload: dict[str, Any], line: Sequence[Any]) -> dict[str, Any]:
    """Show a line as `GET /transactions/{id}` does."""
    line_id, wallet_id, line_type, amount, currency, seq, balance_after, completed_at = line
    return {
        "id": line_id,
        "wallet_id": wallet_id,
        "seq": seq,
        "type": line_type,
        "status": status,
        "amount": amount,
        "currency": currency,
        "balance_after": balance_after,
        "description": payload["description"],
        "reference": payload["reference"],
        "transfer_id": payload["transfer"],
        "refund_of": payload["refund_of"],
        "payment_id": payload["payment_id"],
        "failure_code": payload["failure_code"] or None,
        "metadata": payload["metadata"],
        "effective_at": payload["effective_at"],
        "created_at": payload["created_at"],
        "completed_at": completed_at,
    }


def _of_line(event_type: str, line: dict[str, Any]) -> Draft:
    return Draft(event_type, line["wallet_id"], line["seq"], None, line)


def _transfer_completed(payload: dict[str, Any], lines: list[dict[str, Any]]) -> Draft:
    """Show a transfer as the call that makes one does; it is its sender's event."""
    debit, credit = sorted(lines, key=lambda line: int(line["amount"]))
    data = {
        "transfer_id": payload["transfer"],
        "status": "completed",
        "from_wallet_id": debit["wallet_id"],
        "to_wallet_id": credit["wallet_id"],
        "amount": credit["amount"],
        "currency": credit["currency"],
        "debit_transaction_id": debit["id"],
        "credit_transaction_id": credit["id"],
        "description": payload["description"],
        "metadata": payload["metadata"],
        "created_at": payload["created_at"],
    }
    return Draft("transfer.completed", debit["wallet_id"], debit["seq"], None, data)


def _balance_changed(account: Sequence[Any], seq: int | None) -> Draft:
    wallet_id, currency, balance, held = account
    data = {
        "wallet_id": wallet_id,
        "currency": currency,
        "balance": balance,
        "held": held,
        "available": balance - held,
    }
    return Draft("wallet.balance_changed", wallet_id, seq, None, data)
