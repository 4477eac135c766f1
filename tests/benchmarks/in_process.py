"""Transfers in one process without HTTP: `python -m tests.benchmarks.in_process own|usual SECONDS` prints JSON.

`own` calls the use case; `usual` does the same by the ORM, as the usual project's view does. Both on one connection.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import django

CUSTOMERS = 500


def _own() -> Callable[[], None]:
    from tests.benchmarks.numbered import CURRENCIES, wallet_id
    from transactions.idempotency import Answer, KeyedCall
    from transactions.money import Money
    from wallets.transfers import transfer

    def one() -> None:
        source, target = random.sample(range(CUSTOMERS), 2)
        place = random.randrange(len(CURRENCIES))
        call = KeyedCall(
            principal="benchmark",
            key=str(uuid4()),
            fingerprint=b"benchmark",
            render=lambda movement: Answer(201, b"{}", f"transfer:{movement.id}"),
        )
        transfer(
            source_id=wallet_id(source * len(CURRENCIES) + place),
            target_id=wallet_id(target * len(CURRENCIES) + place),
            amount=Money(7, CURRENCIES[place]),
            owner_id=None,
            actor="benchmark",
            call=call,
        )

    return one


def _usual() -> Callable[[], None]:
    from tests.benchmarks.usual_drf.models import Wallet
    from tests.benchmarks.usual_drf.views import move

    wallets: dict[str, list[UUID]] = {}
    for wallet_id, currency in Wallet.objects.values_list("pk", "currency"):
        wallets.setdefault(currency, []).append(wallet_id)

    def one() -> None:
        currency = random.choice(list(wallets))
        source, target = random.sample(wallets[currency], 2)
        move(
            {"from_wallet_id": source, "to_wallet_id": target, "amount": 7, "currency": currency},
            key=str(uuid4()),
        )

    return one


def main(whose: str, seconds: float) -> None:
    """Transfer for that long, and tell how often, and by how much processor time of this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
    django.setup()
    one = {"own": _own, "usual": _usual}[whose]()
    for _ in range(50):
        one()
    count, started, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        one()
        count += 1
    lasted = time.perf_counter() - started
    json.dump({"rate": count / lasted, "cpu_ms": (time.process_time() - used) * 1000 / count}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
