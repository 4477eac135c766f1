"""Customers with money, made as the product makes them; runs in a process whose environment leads to the database."""

import json
import sys

import django


def main() -> None:
    """Make as many payers as the first argument says; print each wallet and its owner's authorization."""
    django.setup()

    from tests.factories.money import new_wallet
    from tests.factories.people import CustomerFactory, bearer

    payers = []
    for _ in range(int(sys.argv[1])):
        owner = CustomerFactory.create()
        payers.append((str(new_wallet(1_000_000, owner=owner)), bearer(owner)))
    json.dump(payers, sys.stdout)


if __name__ == "__main__":
    main()
