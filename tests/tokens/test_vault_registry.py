"""Which vault a name stands for."""

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from tests.tokens.remote_vault import RemoteVault
from tokens.vaults.local import LocalVault
from tokens.vaults.registry import vault_in_use, vault_of


def test_when_a_vault_of_this_package_is_named_then_it_is_made(settings):
    settings.TOKEN_VAULT = "local"

    assert type(vault_in_use()) is LocalVault


def test_when_a_dotted_path_is_named_then_that_class_is_made(settings):
    settings.TOKEN_VAULT = "tests.tokens.remote_vault.RemoteVault"

    assert type(vault_in_use()) is RemoteVault
    assert type(vault_of("local")) is LocalVault


@pytest.mark.parametrize(
    "name",
    ["nowhere", "contract", "registry", "tests.tokens.remote_vault.Nobody", "builtins.dict", "no/path", ""],
)
def test_when_the_name_is_no_vault_then_the_boot_stops_and_names_the_variable(settings, name):
    settings.TOKEN_VAULT = name

    with pytest.raises(ImproperlyConfigured, match="TOKEN_VAULT can't be used: expected"):
        apps.get_app_config("tokens").ready()
