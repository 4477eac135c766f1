"""Every variable is read as declared, refused by name, and documented."""

import base64
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import read_environment
from config.management.commands.configuration_reference import reference
from config.value_forms import Rate

KEY = base64.b64encode(b"k" * 32).decode()
REQUIRED = {
    "DATABASE_URL": "postgres://app:secret@localhost/book",
    "SECRET_KEY": "s" * 50,
    "JWT_SIGNING_KEYS": f"a:{KEY}",
    "ENCRYPTION_KEYS": f"a:{KEY}",
    "OPEN_WALLET_MODE": "sandbox",
}


def test_the_reference_page_says_what_the_declarations_say() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

    assert page.read_text() == reference()


def test_given_the_required_variables_then_the_rest_has_its_defaults() -> None:
    environment = read_environment(REQUIRED)

    assert environment.port == 8000
    assert environment.rate_limit_global == Rate(100, 900)
    assert environment.rate_limit_user == Rate(50, 900)
    assert environment.rate_limit_payment == Rate(10, 900)
    assert environment.rate_limit_service == Rate(10000, 900)
    assert environment.jwt_signing_keys == (("a", b"k" * 32),)
    assert environment.sandbox is True


@pytest.mark.parametrize("name", sorted(set(REQUIRED) - {"OPEN_WALLET_MODE"}))
def test_given_a_missing_secret_then_the_boot_stops_with_its_name(name: str) -> None:
    given = {key: value for key, value in REQUIRED.items() if key != name}

    with pytest.raises(ImproperlyConfigured, match=f"^{name} is not set: "):
        read_environment(given)


@pytest.mark.parametrize("name", ["ALLOWED_HOSTS", "PUBLIC_URL"])
def test_given_production_then_what_only_a_sandbox_can_guess_must_be_set(name: str) -> None:
    given = {
        **REQUIRED,
        "OPEN_WALLET_MODE": "production",
        "ALLOWED_HOSTS": "wallet.example.com",
        "PUBLIC_URL": "https://wallet.example.com",
    }
    del given[name]

    with pytest.raises(ImproperlyConfigured, match=f"^{name} is not set: "):
        read_environment(given)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "70000", "a port between 1 and 65535"),
        ("RATE_LIMIT_USER", "50 per 15m", "a quota such as 100/15m, or off"),
        ("RATE_LIMIT_USER", "0/7m", "a quota such as 100/15m, or off"),
        ("OPEN_WALLET_MODE", "staging", "one of sandbox, production"),
        ("DATABASE_URL", "mysql://localhost/book", "a URL that starts with postgres: or postgresql:"),
        ("CORS_ORIGINS", "https://app.example.com/path", "origins such as https://app.example.com"),
        ("JWT_SIGNING_KEYS", "a:c2hvcnQ=", "id:base64,id:base64"),
        ("ENCRYPTION_KEYS", f"a:{KEY},a:{KEY}", "id:base64,id:base64"),
        ("LIMIT_DAILY_OUTFLOW", "USD=5", "amounts in minor units such as USD:100000"),
        ("REGISTRATION_OPEN", "maybe", "true or false"),
        ("TRUSTED_PROXIES", "-1", "a whole number"),
        (
            "STRIPE_API_KEY",
            "pk_test_1",
            "a key of printable characters without blanks that starts with sk_ or rk_",
        ),
        ("BASIS_THEORY_API_KEY", "key_us\nHost: x", "a key of printable characters without blanks"),
        (
            "STRIPE_API_BASE",
            "http://api.stripe.example",
            "a base such as https://api.example.com without a path",
        ),
        ("STRIPE_API_BASE", "http://10.0.0.1:8000", "a base such as https://api.example.com without a path"),
        ("STRIPE_API_BASE", "http://127.0.0.1.example:8000", "a base such as https://api.example.com"),
        ("STRIPE_API_BASE", "https://key@api.example.com", "a base such as https://api.example.com"),
        ("BASIS_THEORY_API_BASE", "https://api.example.com/v1", "a base such as https://api.example.com"),
        ("BASIS_THEORY_API_BASE", "https://api.example.com:port", "a base such as https://api.example.com"),
        ("BASIS_THEORY_API_BASE", "ftp://127.0.0.1", "a base such as https://api.example.com"),
    ],
)
def test_given_a_value_that_cant_be_used_then_its_name_and_the_expected_form_are_told_but_not_the_value(
    name: str, value: str, expected: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment({**REQUIRED, name: value})

    assert str(refused.value).startswith(f"{name} can't be used: expected {expected}")
    assert value not in str(refused.value)


def test_given_off_then_a_rate_limit_is_switched_off() -> None:
    assert read_environment({**REQUIRED, "RATE_LIMIT_GLOBAL": "off"}).rate_limit_global is None


def test_given_limits_by_currency_then_they_are_minor_units() -> None:
    environment = read_environment({**REQUIRED, "LIMIT_DAILY_OUTFLOW": "USD:100000,*:5"})

    assert environment.limit_daily_outflow == {"USD": 100000, "*": 5}


@pytest.mark.parametrize(
    "base",
    ["https://api.example.com", "https://api.example.com:8443", "http://127.0.0.1:8000", "http://[::1]:1"],
)
def test_given_a_sandbox_then_a_provider_may_be_anywhere_safe_or_on_this_machine(base: str) -> None:
    assert read_environment({**REQUIRED, "STRIPE_API_BASE": base}).stripe_api_base == base


def test_given_production_then_no_provider_is_spoken_to_without_tls() -> None:
    given = {
        **REQUIRED,
        "OPEN_WALLET_MODE": "production",
        "ALLOWED_HOSTS": "wallet.example.com",
        "PUBLIC_URL": "https://wallet.example.com",
        "STRIPE_API_BASE": "http://localhost:8000",
    }

    with pytest.raises(
        ImproperlyConfigured, match=r"^STRIPE_API_BASE can't be used: expected one that doesn't"
    ):
        read_environment(given)
