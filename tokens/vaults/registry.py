"""Finds a vault by name: `local` is `tokens.vaults.local`, a dotted path is anybody's class."""

import re

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from tokens.vaults.contract import Vault


def vault_in_use() -> Vault:
    """Give the vault that new cards go to (`TOKEN_VAULT`).

    Refuses with ImproperlyConfigured, naming the variable, what is no vault.
    """
    return _load(settings.TOKEN_VAULT)


def vault_of(provider: str) -> Vault:
    """Give the vault that an existing token is kept in, even when new cards go elsewhere by now."""
    current = vault_in_use()
    return current if current.name == provider else _load(provider)


def _load(name: str) -> Vault:
    path = name if "." in name else f"tokens.vaults.{name}.vault"
    try:
        made = import_string(path)() if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) else None
    except ImportError as missing:
        raise ImproperlyConfigured(_EXPECTED) from missing
    if not isinstance(made, Vault):
        raise ImproperlyConfigured(_EXPECTED)
    return made


_EXPECTED = (
    "TOKEN_VAULT can't be used: expected the name of a vault in tokens/vaults (such as local), or the dotted path"
    " of a class or function that makes a tokens.vaults.contract.Vault."
)
