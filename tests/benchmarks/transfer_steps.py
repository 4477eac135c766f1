"""A transfer's SQL as a pgbench script: the very statements that the application sends, with the same values.

A transfer is made over HTTP while the wire is overheard. What differs from one transfer to the next becomes an
expression of pgbench's variables, known by its value; every other value stays as it was and is handed to
pgbench as a constant. pgbench can't read two locked rows, so each client visits pairs of wallets of its own in
turn: the count of visits tells how an account stands.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.db import connections
from django.test import Client

from tests.benchmarks.numbered import CURRENCIES, FIRST_NUMBER, WALLET_PREFIX, customer_id, wallet_id
from tests.benchmarks.seeds import SOURCE, TARGET
from tests.benchmarks.wire import Conversation, Step, overheard
from users.credentials import sign_access
from users.roles import ROLES, Role

SCRIPT = Path(__file__).with_name("transfer.sql")
AMOUNT = 7
TRANSFER_PATH = "/api/v1/wallet/transfer"
TRANSFER_RESOURCE = "transfer:"
# Source and target of one visit: wallet n of an even customer and the same currency of the next customer.
TARGET_IS_AHEAD = len(CURRENCIES)

VARIABLES = f"""\
-- One transfer as the application runs it; `python -m tests.benchmarks --write-script` writes this file anew.
-- Given: pairs (a multiple of 4) of each client, first (its first wallet), round, step (-1) and the constants.
\\set step :step + 1
\\set place :step % :pairs
\\set visit :step / :pairs
\\set moved {AMOUNT} * (:visit + 1)
\\set source :first + :client_id * :pairs * 2 + (:place / 4) * 8 + :place % 4
\\set target :source + {TARGET_IS_AHEAD}
\\set source_version {SOURCE.version} + :visit
\\set source_balance {SOURCE.balance} - :moved
\\set source_seq {SOURCE.last_seq + 1} + :visit
\\set source_total_out {SOURCE.total_out} + :moved
\\set source_day {SOURCE.day_amount} + :moved
\\set source_month {SOURCE.month_amount} + :moved
\\set target_version {TARGET.version} + :visit
\\set target_balance {TARGET.balance} + :moved
\\set target_seq {TARGET.last_seq + 1} + :visit
\\set target_total_in {TARGET.total_in} + :moved
\\set moment 20000000 + :round * 2000000 + :step
\\set client {FIRST_NUMBER} + :client_id
\\set key_1 random(1000000000000000, 9999999999999999)
\\set key_2 random(1000000000000000, 9999999999999999)
"""
KEY = "(:key_1 || '-' || :key_2 || '-00')"
FIGURES = {
    SOURCE.version: ":source_version",
    SOURCE.balance - AMOUNT: ":source_balance",
    SOURCE.last_seq + 1: ":source_seq",
    SOURCE.total_out + AMOUNT: ":source_total_out",
    SOURCE.day_amount + AMOUNT: ":source_day",
    SOURCE.month_amount + AMOUNT: ":source_month",
    TARGET.version: ":target_version",
    TARGET.balance + AMOUNT: ":target_balance",
    TARGET.last_seq + 1: ":target_seq",
    TARGET.total_in + AMOUNT: ":target_total_in",
}


@dataclass(frozen=True)
class RecordedTransfer:
    """The pgbench script of a transfer, the values of its constants, and the round trips that it takes."""

    script: str
    constants: dict[str, str]
    round_trips: int


def record_transfer(*, customer: int) -> RecordedTransfer:
    """Transfer from wallets of an even customer to the next one, both freshly seeded, and write the SQL down."""
    source, target = customer * len(CURRENCIES), (customer + 1) * len(CURRENCIES)
    database = connections["default"]
    before = dict(database.settings_dict)
    host, port = before["HOST"] or "127.0.0.1", int(before["PORT"] or 5432)
    database.close()
    with overheard(host=host, port=port) as (own_port, conversation):
        options = {**before["OPTIONS"], "sslmode": "disable", "gssencmode": "disable"}
        database.settings_dict.update(HOST="127.0.0.1", PORT=own_port, OPTIONS=options)
        try:
            # The first call prepares the statements; the second one is what every other call looks like.
            _transfer(customer=customer, source=source + 1, target=target + 1, key=str(uuid4()))
            conversation.forget()
            key = str(uuid4())
            _transfer(customer=customer, source=source, target=target, key=key)
        finally:
            database.close()
            database.settings_dict.update(before)
    return _as_script(conversation, source=wallet_id(source), target=wallet_id(target), key=key)


def transfer_body(*, source: int, target: int) -> dict[str, Any]:
    """Tell the body of a transfer between two wallets by number."""
    return {
        "from_wallet_id": str(wallet_id(source)),
        "to_wallet_id": str(wallet_id(target)),
        "amount": AMOUNT,
        "currency": CURRENCIES[source % len(CURRENCIES)],
    }


def access_token(*, customer: int) -> str:
    """Sign the customer's access token with the application's own key."""
    return sign_access(bearer_id=customer_id(customer), role=Role.USER.value, permissions=ROLES[Role.USER])


def _transfer(*, customer: int, source: int, target: int, key: str) -> None:
    answer = Client().post(
        TRANSFER_PATH,
        data=transfer_body(source=source, target=target),
        content_type="application/json",
        headers={
            "authorization": f"Bearer {access_token(customer=customer)}",
            "host": "127.0.0.1",
            "idempotency-key": key,
        },
    )
    if answer.status_code != 201:
        raise RuntimeError(
            f"the transfer to be recorded was answered {answer.status_code}: {answer.content!r}"
        )


def _as_script(conversation: Conversation, *, source: UUID, target: UUID, key: str) -> RecordedTransfer:
    constants: dict[str, str] = {}
    identifiers = {
        source: f"('{WALLET_PREFIX}' || :source)::uuid",
        target: f"('{WALLET_PREFIX}' || :target)::uuid",
    }

    def expression(value: Any) -> str:
        if value is None:
            return "NULL"
        if value == "":
            # pgbench takes no empty constant.
            return "''"
        if isinstance(value, list):
            return f"ARRAY[{', '.join(expression(item) for item in value)}]"
        if isinstance(value, UUID):
            made = f"(:moment || '-{len(identifiers) - 1:04d}-7abc-8abc-a' || :client)::uuid"
            return identifiers.setdefault(value, made)
        if isinstance(value, int) and value in FIGURES:
            return FIGURES[value]
        if isinstance(value, datetime):
            # A constant would be as quick, but an account's lines follow each other in time.
            return "clock_timestamp()"
        if value == key:
            return KEY
        if isinstance(value, str) and value.startswith(TRANSFER_RESOURCE):
            return f"('{TRANSFER_RESOURCE}' || {expression(UUID(value.removeprefix(TRANSFER_RESOURCE)))})"
        name = f"constant_{len(constants) + 1}"
        constants[name] = _as_text(value)
        return f":{name}"

    def statement(step: Step) -> str:
        expressions = [expression(value) for value in step.values]
        return re.sub(r"\$(\d+)", lambda place: expressions[int(place[1]) - 1], step.text) + ";\n"

    return RecordedTransfer(
        script=VARIABLES + "".join(statement(step) for step in conversation.steps),
        constants=constants,
        round_trips=conversation.round_trips,
    )


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
