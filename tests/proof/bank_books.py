"""The crash bank's judgement: what was acknowledged against the book, against the provider's journal, and against itself."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from django.db import connection

from events import clock
from tests.proof.bank_operations import Bank
from tests.proof.provider import charges_in, refunds_in
from tests.workers.kills import LEASES_OVER_AFTER

UNQUIET = {
    "events not published": "SELECT count(*) FROM events_outbox",
    "payments under way": "SELECT count(*) FROM payments_payment WHERE due_at IS NOT NULL",
    "refunds under way": "SELECT count(*) FROM payments_refund WHERE due_at IS NOT NULL",
    "keys without an answer": (
        "SELECT count(*) FROM transactions_idempotencykey WHERE status IS NULL AND resource <> ''"
    ),
    "deltas not rolled up": "SELECT count(*) FROM transactions_delta",
}
SUM_OF_ALL = (
    "SELECT coalesce(max(abs(total)), 0) FROM (SELECT sum(a.balance + coalesce(d.waiting, 0)) AS total"
    " FROM transactions_ledgeraccount a"
    " LEFT JOIN (SELECT account_id, sum(amount) AS waiting FROM transactions_delta GROUP BY 1) d"
    " ON d.account_id = a.id GROUP BY a.currency) sums"
)


def rows(query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """Ask the database, which may have been killed since it was last asked."""
    if connection.connection is not None and not connection.is_usable():
        connection.close()
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def unquiet() -> dict[str, int]:
    """Count what is still under way; empty when all is quiet."""
    counted = {what: int(rows(query)[0][0]) for what, query in UNQUIET.items()}
    return {what: count for what, count in counted.items() if count}


def let_leases_end() -> None:
    """Move everybody's clock past all leases and waits."""
    rows("SELECT 1")  # which opens a new connection where the old one was killed
    clock.set_ahead(to=clock.now() + LEASES_OVER_AFTER)


class Judgement:
    """Counts of what was lost and doubled, and a sentence for each."""

    def __init__(self, bank: Bank, journal: Path) -> None:
        self.bank, self.found = bank, list[str]()
        self.lost = self.doubled = 0
        self._charges, self._refunds = charges_in(journal), refunds_in(journal)
        self._seen: dict[str, list[tuple[str, int]]] = {}
        for done in bank.acknowledged:
            if done.answer.status_code < 300:
                self._note(done.operation.kind, json.loads(done.answer.content), done.operation.amount)
        self._compare_lines()
        self._compare_holds()
        expected = Counter(bank.expected)
        self._judge_payments(expected)
        self._judge_refunds(expected)
        self._compare_balances(expected)

    def _note(self, kind: str, content: dict[str, Any], amount: int) -> None:
        if kind in ("pay", "top-up"):
            self._add("payment", content["id"], amount)
        elif kind == "transfer":
            self._add("transfer", content["debit_transaction_id"], amount)
        elif kind == "batch":
            for row in content["results"]:
                self._add("row", row["transfer_id"], 0)
        elif kind in ("hold", "refund"):
            self._add(kind, content["id"], amount)
        elif kind == "fund":
            self._add("fund", content["payment_id"], amount)

    def _add(self, what: str, found_id: str, amount: int) -> None:
        self._seen.setdefault(what, []).append((found_id, amount))

    def _require(self, what: str, acknowledged: list[str], there: set[str]) -> None:
        missing = [one for one in acknowledged if one not in there]
        self.lost += len(missing)
        if missing:
            self.found.append(f"{len(missing)} acknowledged and not there: {what} {missing[:3]}")
        twice = len(acknowledged) - len(set(acknowledged))
        extra = len(there - set(acknowledged)) + twice
        self.doubled += extra
        if extra:
            self.found.append(f"{extra} there and never acknowledged, or acknowledged twice: {what}")

    def _compare_lines(self) -> None:
        there = {
            (str(found), kind, hold is not None, -amount)
            for found, kind, hold, amount in rows(
                "SELECT l.id, t.kind, t.hold_id, l.amount FROM transactions_transaction l"
                " JOIN transactions_transfer t ON t.id = l.transfer_id"
                " JOIN transactions_ledgeraccount a ON a.id = l.account_id"
                " WHERE a.owner_id IS NOT NULL AND l.amount < 0 AND l.status = 'completed'"
                " AND t.kind IN ('payment', 'transfer')"
            )
        }
        captures = {found for found, kind, is_capture, _ in there if kind == "payment" and is_capture}
        payments = {(f, a) for f, kind, is_capture, a in there if kind == "payment" and not is_capture}
        self._require_pairs("payments", self._seen.get("payment", []), payments)
        taken = sum(1 for done in self.bank.acknowledged if self._is_done(done, "capture"))
        if taken != len(captures):
            self.lost += max(0, taken - len(captures))
            self.doubled += max(0, len(captures) - taken)
            self.found.append(f"{taken} captures acknowledged, {len(captures)} are there")
        moved = {
            str(found) for (found,) in rows("SELECT id FROM transactions_transfer WHERE kind = 'transfer'")
        }
        single = {(found, amount) for found, kind, _, amount in there if kind == "transfer"}
        batched = [found for found, _ in self._seen.get("row", [])]
        own = self._seen.get("transfer", [])
        self.lost += (gone := len([one for one in own if one not in single]))
        if gone:
            self.found.append(f"{gone} transfers acknowledged and not there")
        lost_rows = [one for one in batched if one not in moved]
        self.lost += len(lost_rows)
        if lost_rows:
            self.found.append(f"{len(lost_rows)} rows of batches acknowledged and not there")
        extra = len(moved) - len(set(own)) - len(set(batched)) + gone + len(lost_rows)
        if extra:
            self.doubled += extra
            self.found.append(f"{extra} transfers there and never acknowledged")

    def _is_done(self, done: Any, kind: str) -> bool:
        return bool(done.operation.kind == kind and done.answer.status_code < 300)

    def _require_pairs(self, what: str, noted: list[tuple[str, int]], there: set[tuple[str, int]]) -> None:
        self._require(
            what, [f"{one} {amount}" for one, amount in noted], {f"{one} {amount}" for one, amount in there}
        )

    def _compare_holds(self) -> None:
        for what, table in (("hold", "transactions_hold"), ("refund", "payments_refund")):
            there = {(str(found), amount) for found, amount in rows(f"SELECT id, amount FROM {table}")}
            self._require_pairs(what, self._seen.get(what, []), there)

    def _judge_payments(self, expected: Counter[str]) -> None:
        there = {
            str(found): (str(wallet), kind, status, amount, key)
            for found, wallet, kind, status, amount, key in rows(
                "SELECT id, wallet_id, kind, status, amount, processor_key FROM payments_payment"
            )
        }
        acknowledged = [found for found, _ in self._seen.get("fund", [])]
        missing = [found for found in acknowledged if found not in there]
        self.lost += len(missing)
        if missing:
            self.found.append(f"{len(missing)} deposits acknowledged and not there")
        known = Counter(acknowledged)
        openings = len(self.bank.accounts)
        for found, (wallet, kind, status, amount, key) in there.items():
            charged = self._charges.pop(key, [])
            is_credited = status in ("succeeded", "refunded", "partially_refunded")
            if is_credited != bool(charged) or (charged and charged != [amount]):
                self.found.append(f"payment {found} is {status} with {amount}; charged {charged}")
                self.lost += bool(charged) and not is_credited
                self.doubled += len(charged) > 1
            if is_credited and kind == "funding" and not known[found]:
                openings -= 1
            if is_credited and (kind != "funding" or known[found]):
                expected[wallet] += amount
        if openings != 0:
            self.doubled += max(0, -openings)
            self.found.append(f"{-openings} deposits were credited and never acknowledged")
        if self._charges:
            self.lost += len(self._charges)
            self.found.append(f"{len(self._charges)} charges belong to no payment")

    def _judge_refunds(self, expected: Counter[str]) -> None:
        for found, wallet, payment, status, amount, key in rows(
            "SELECT id, wallet_id, payment_id, status, amount, processor_key FROM payments_refund"
        ):
            given = self._refunds.pop(key, [])
            if status == "completed":
                expected[str(wallet)] += amount if payment is None else -amount
            elif status != "failed" or given:
                self.found.append(f"refund {found} is {status}, the provider gave {given}")
            if status == "completed" and given != ([] if payment is None else [amount]):
                self.found.append(f"refund {found} of {amount} is completed, the provider gave {given}")
                self.doubled += len(given) > 1
        if self._refunds:
            self.found.append(f"{len(self._refunds)} refunds of the provider belong to none of ours")

    def _compare_balances(self, expected: Counter[str]) -> None:
        there = {
            str(found): balance
            for found, balance in rows(
                "SELECT id, balance FROM transactions_ledgeraccount WHERE owner_id IS NOT NULL"
            )
        }
        wrong = {
            one: (there.get(one), amount) for one, amount in expected.items() if there.get(one) != amount
        }
        if wrong:
            self.found.append(f"{len(wrong)} wallets hold something else: {list(wrong.items())[:3]}")
