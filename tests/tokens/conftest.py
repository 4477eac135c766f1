"""Who saves cards in these tests, and where to."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.tokens.remote_vault import RemoteVault
from users.models import User

NOW = datetime(2026, 10, 31, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create(email="alice@saved.example", role="user")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create(email="bob@saved.example", role="user")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Set the time that tokens go by."""

    def set_to(moment: datetime) -> None:
        for module in ("tokenization", "vault_items", "consent", "sweeping", "fingerprints"):
            monkeypatch.setattr(f"tokens.{module}.now", lambda: moment)

    set_to(NOW)
    return set_to


@pytest.fixture
def remote_vault(settings) -> Iterator[type[RemoteVault]]:
    """A vault over a network, in use."""
    settings.TOKEN_VAULT = RemoteVault.name
    yield RemoteVault
    RemoteVault.items.clear()
    RemoteVault.is_down = False
