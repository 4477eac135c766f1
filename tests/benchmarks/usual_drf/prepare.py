"""Make the tables, the customers and their wallets; print each customer's token and wallets as JSON.

`python -m tests.benchmarks.usual_drf.prepare <customers>`
"""

import json
import os
import sys

import django

BALANCE = 5_000_000_000


def main() -> None:
    """Prepare the baseline's own database."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.usual_drf.settings"
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework_simplejwt.tokens import AccessToken

    from tests.benchmarks.numbered import CURRENCIES
    from tests.benchmarks.usual_drf.models import Wallet

    # The users' tables first: those of this project have no migrations, but point at them.
    call_command("migrate", "auth", verbosity=0)
    call_command("migrate", run_syncdb=True, verbosity=0)
    count = int(sys.argv[1])
    users = User.objects.bulk_create(User(username=f"customer-{n}", password="!") for n in range(count))
    wallets = Wallet.objects.bulk_create(
        Wallet(user=user, currency=currency, balance=BALANCE) for user in users for currency in CURRENCIES
    )
    customers = [
        {
            "token": str(AccessToken.for_user(user)),
            "wallets": [str(wallet.pk) for wallet in wallets[place * len(CURRENCIES) :][: len(CURRENCIES)]],
        }
        for place, user in enumerate(users)
    ]
    json.dump(customers, sys.stdout)


if __name__ == "__main__":
    main()
