"""The vaults under contract, each with its provider: a real HTTP server on this machine, or a table of ours."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from django.conf import LazySettings

from tests.contracts import fake_basis_theory, fake_company_vault, fake_stripe
from tests.contracts.fake_basis_theory import FakeBasisTheory
from tests.contracts.fake_company_vault import FakeCompanyVault
from tests.contracts.fake_stripe import FakeStripe
from tests.contracts.provider_server import ProviderApi, ProviderServer
from tokens.models import VaultedCard
from tokens.vaults.contract import DeviceCard, MobilePayload, Vault
from tokens.vaults.registry import vault_of

ON_DEVICE = DeviceCard(
    number="4242424242424242", exp_month=12, exp_year=2030, cryptogram="AwAAAAEAQlkpcFaAcgRJgAA=", eci="07"
)
EC_V1 = {
    "paymentData": {
        "version": "EC_v1",
        "data": "AAAA",
        "signature": "AAAA",
        "header": {"transactionId": "ab"},
    },
    "paymentMethod": {"displayName": "Visa 4242", "network": "Visa", "type": "credit"},
    "transactionIdentifier": "AB",
}


@dataclass
class World:
    """A vault, what a phone gives for it, how many items are kept, and the provider's books where there is one."""

    vault: Vault
    apple: MobilePayload
    google: Callable[[], MobilePayload]
    kept: Callable[[], int]
    api: ProviderApi | None = None


def google_pay_data(token: dict[str, Any]) -> dict[str, Any]:
    """Make Google's `PaymentData`: the token is JSON in a string."""
    return {
        "apiVersion": 2,
        "apiVersionMinor": 0,
        "paymentMethodData": {
            "type": "CARD",
            "info": {"cardNetwork": "VISA", "cardDetails": "4242"},
            "tokenizationData": {"type": "PAYMENT_GATEWAY", "token": json.dumps(token)},
        },
    }


def ecv2(signed_message: str = "{}") -> dict[str, Any]:
    """Make Google's envelope for a vault that opens it itself."""
    return google_pay_data(
        {
            "protocolVersion": "ECv2",
            "signature": "AAAA",
            "intermediateSigningKey": {"signedKey": "{}", "signatures": ["AAAA"]},
            "signedMessage": signed_message,
        }
    )


def local(settings: LazySettings) -> Iterator[World]:
    """Our own table: it keeps what we decrypted."""
    yield World(
        vault=vault_of("local"),
        apple=MobilePayload("apple_pay", EC_V1, ON_DEVICE),
        google=lambda: MobilePayload("google_pay", ecv2(), ON_DEVICE),
        kept=VaultedCard.objects.count,
    )


def basis_theory(settings: LazySettings) -> Iterator[World]:
    """Basis Theory, with the least permissions."""
    api = FakeBasisTheory()
    server = ProviderServer(api)
    settings.BASIS_THEORY_API_KEY, settings.BASIS_THEORY_API_BASE = fake_basis_theory.KEY, server.url
    yield World(
        vault=vault_of("basis_theory"),
        apple=MobilePayload("apple_pay", EC_V1),
        google=lambda: MobilePayload("google_pay", ecv2()),
        kept=lambda: len(api.items),
        api=api,
    )
    server.stop()


def stripe(settings: LazySettings) -> Iterator[World]:
    """Stripe; Google's token comes from it too."""
    api = FakeStripe()
    server = ProviderServer(api)
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = fake_stripe.KEY, server.url

    def attached() -> int:
        return sum(1 for known in api.objects.values() if known.get("customer") and known.get("card"))

    yield World(
        vault=vault_of("stripe"),
        apple=MobilePayload("apple_pay", EC_V1),
        google=lambda: MobilePayload("google_pay", google_pay_data({"id": api.google_pay_token()})),
        kept=attached,
        api=api,
    )
    server.stop()


def documented(settings: LazySettings) -> Iterator[World]:
    """The example of the page on vaults of one's own, imported by its dotted path from a file of somebody's."""
    api = FakeCompanyVault()
    server = ProviderServer(api)
    page = Path(settings.BASE_DIR) / "docs" / "custom-vaults.md"
    found = re.search(r"```python\n(.+?)```", page.read_text(), re.DOTALL)
    assert found is not None
    environment = {"COMPANY_VAULT_BASE": server.url, "COMPANY_VAULT_KEY": fake_company_vault.KEY}
    with TemporaryDirectory() as folder, mock.patch.dict(os.environ, environment):
        (Path(folder) / "company_vault.py").write_text(found[1])
        sys.path.insert(0, folder)
        try:
            yield World(
                vault=vault_of("company_vault.CompanyVault"),
                apple=MobilePayload("apple_pay", EC_V1),
                google=lambda: MobilePayload("google_pay", ecv2()),
                kept=lambda: len(api.items),
                api=api,
            )
        finally:
            sys.path.remove(folder)
            sys.modules.pop("company_vault", None)
            server.stop()
