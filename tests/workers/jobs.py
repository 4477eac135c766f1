"""Jobs that workers finish, asked for over HTTP by clients that never give up, and the proof that each was done once."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import close_old_connections, connection
from uuid_utils.compat import uuid7

from payments.models import Payment, Refund, SandboxCharge, SandboxRefund
from tests.factories.people import bearer, someone
from tests.payments.customers import TIMES_OUT, Customer
from tests.payments.refunding import deposit_of, purchase_of
from transactions.models import LedgerAccount, Transaction
from users.models import User

CLIENTS = 8
LONGEST_TRY_S = 600.0
JOBS_OF_A_CUSTOMER = 12
"""Four of each kind."""

DEPOSIT, PURCHASE, CHARGE = 5000, 100, 30


@dataclass(frozen=True)
class Job:
    """One thing to be done: a refund of a deposit, a refund of a payment, or a charge whose outcome isn't told."""

    kind: str
    customer: Customer
    line_id: UUID | None
    token_id: UUID | None
    amount: int


class Scene:
    """Customers with their jobs, and somebody of finance who approves."""

    def __init__(self, jobs: int) -> None:
        self.finance = someone("finance")
        self.customers: list[Customer] = []
        self.jobs: list[Job] = []
        while len(self.jobs) < jobs:
            self._add_customer()
        self.jobs = self.jobs[:jobs]
        self.is_begun = False
        """Whether the last job has been asked for, answered or not."""
        self.before = {customer.wallet_id: customer.balance for customer in self.customers}

    def _add_customer(self) -> None:
        customer = Customer.with_wallet("USD")
        self.customers.append(customer)
        deposit = deposit_of(customer, DEPOSIT)
        purchase = purchase_of(customer, PURCHASE)
        token = customer.card(TIMES_OUT)
        for number in range(JOBS_OF_A_CUSTOMER // 3):
            amount = 1 + number
            self.jobs += [
                Job("refund a deposit", customer, deposit.transaction_id, None, amount),
                Job("refund a payment", customer, purchase, None, amount),
                Job("charge", customer, None, token.id, CHARGE + number),
            ]

    def ask_for_all(self, port: int) -> None:
        """Have all jobs asked for, by some clients at a time."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            for asked in [clients.submit(self._ask_for, job, port) for job in self.jobs]:
                asked.result()

    def _ask_for(self, job: Job, port: int) -> None:
        if job is self.jobs[-1]:
            self.is_begun = True
        try:
            if job.kind == "charge":
                path = f"/wallet/{job.customer.wallet_id}/fund"
                body = {"amount": job.amount, "currency": "USD", "token_id": str(job.token_id)}
                persist(port, job.customer.user, path, body)
                return
            body = {"transaction_id": str(job.line_id), "amount": job.amount, "reason": "other"}
            refund = persist(port, job.customer.user, "/refunds", body)
            persist(port, self.finance, f"/admin/refunds/{refund['id']}/approve", {})
        finally:
            close_old_connections()

    def is_done(self) -> bool:
        """Whether no job of these customers is under way any more."""
        wallets = [customer.wallet_id for customer in self.customers]
        return not (
            Refund.objects.filter(wallet_id__in=wallets, due_at__isnull=False).exists()
            or Payment.objects.filter(wallet_id__in=wallets, due_at__isnull=False).exists()
        )

    def require_each_effect_once(self) -> None:
        """Look at our books, at the processor's and at the events: nothing is lost, and nothing is there twice."""
        for customer in self.customers:
            jobs = [job for job in self.jobs if job.customer is customer]
            self._require_money(customer, jobs)
            self._require_refunds(customer, [job for job in jobs if job.kind != "charge"])
            self._require_charges(customer, [job for job in jobs if job.kind == "charge"])

    def _require_money(self, customer: Customer, jobs: Sequence[Job]) -> None:
        signs = {"refund a deposit": -1, "refund a payment": 1, "charge": 1}
        change = sum(signs[job.kind] * job.amount for job in jobs)
        account = LedgerAccount.objects.get(id=customer.wallet_id)
        assert (account.balance, account.held) == (self.before[customer.wallet_id] + change, 0)

    def _require_refunds(self, customer: Customer, jobs: Sequence[Job]) -> None:
        refunds = list(Refund.objects.filter(wallet_id=customer.wallet_id))
        assert sorted(refund.amount for refund in refunds) == sorted(job.amount for job in jobs)
        assert {refund.status for refund in refunds} <= {"completed"}
        for refund in refunds:
            given = list(
                SandboxRefund.objects.filter(key=refund.processor_key).values_list("amount", "status")
            )
            assert given == ([(refund.amount, "succeeded")] if refund.payment_id else [])
            lines = Transaction.objects.filter(
                transfer_id=refund.transfer_id, account_id=refund.wallet_id
            ).values_list("amount", "status")
            assert list(lines) == [(-refund.amount if refund.payment_id else refund.amount, "completed")]
            assert told("refund.completed", refund.id) == 1
            assert told("refund.failed", refund.id) == 0

    def _require_charges(self, customer: Customer, jobs: Sequence[Job]) -> None:
        payments = Payment.objects.filter(wallet_id=customer.wallet_id, amount__lt=DEPOSIT)
        succeeded = [payment for payment in payments if payment.status == "succeeded"]
        # A web server that died before it charged left an attempt behind; the key then made another one.
        assert {payment.status for payment in payments} <= {"succeeded", "failed"}
        assert sorted(payment.amount for payment in succeeded) == sorted(job.amount for job in jobs)
        charges = SandboxCharge.objects.filter(key__in=[payment.processor_key for payment in payments])
        assert sorted(charge.amount for charge in charges) == sorted(job.amount for job in jobs)
        for payment in succeeded:
            assert told("payment.succeeded", payment.id) == 1


def told(kind: str, object_id: UUID) -> int:
    """Count the events of a kind about one object, published or still in the outbox."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM events_outbox WHERE kind = %s AND payload->>'id' = %s)"
            " + (SELECT count(*) FROM events_event WHERE type = %s AND data->>'id' = %s)",
            [kind, str(object_id)] * 2,
        )
        count: int = cursor.fetchone()[0]
        return count


def persist(port: int, who: User, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Make one call, with one key, until it is answered; give the answer's body."""
    key = str(uuid7())
    until = time.monotonic() + LONGEST_TRY_S
    while True:
        answer = _answer(port, who, path, body, key)
        if answer is not None:
            status, content = answer
            if 200 <= status < 300:
                return content
            # 409: the first call with the key is still under way, or died before it could answer.
            assert status in (409, 502, 503, 504), (status, content)
        assert time.monotonic() < until, (path, answer)
        time.sleep(0.2)


def _answer(
    port: int, who: User, path: str, body: dict[str, Any], key: str
) -> tuple[int, dict[str, Any]] | None:
    connection_ = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": bearer(who), "Idempotency-Key": key, "Content-Type": "application/json"}
    try:
        connection_.request("POST", f"/api/v1{path}", json.dumps(body), headers)
        response = connection_.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        return None
    finally:
        connection_.close()


def wait_for(happens: Callable[[], bool], *, within_s: float) -> None:
    """Look every half second until it has happened."""
    until = time.monotonic() + within_s
    pause = threading.Event()
    while not happens():
        assert time.monotonic() < until, "it takes too long"
        pause.wait(0.5)
