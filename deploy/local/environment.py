"""The environment variables that the launcher hands to the application."""

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.local.data_directory import DataDirectory, new_secrets
from deploy.local.ports import LOOPBACK
from deploy.local.refusals import CannotStart

SANDBOX = "sandbox"
PRODUCTION = "production"
APPLICATION_SECRETS = ("SECRET_KEY", "JWT_SIGNING_KEYS", "ENCRYPTION_KEYS")
SETTINGS = {SANDBOX: "config.settings.local", PRODUCTION: "config.settings.production"}
TEST_SETTINGS = "config.settings.test"
DEFAULT_PORT = 8000
HIGHEST_PORT = 65535
# Of what Linux (108) and macOS (104) take, with the byte that ends it.
LONGEST_SOCKET_ADDRESS_BYTES = 103
# A developer's own configuration must not decide the answers of the tests, nor what make keeps for itself.
NOT_FOR_TESTS = {
    *(
        "HOST",
        "PORT",
        "PUBLIC_URL",
        "ALLOWED_HOSTS",
        "TRUSTED_PROXIES",
        "CORS_ORIGINS",
        "LOG_LEVEL",
    ),
    *(
        "DATABASE_URL",
        "DATABASE_OWNER_URL",
        "DATABASE_DIRECT_URL",
        "REPLICA_DATABASE_URL",
        "REDIS_URL",
        "DEMO_PASSWORD",
        "OPEN_WALLET_DATA",
    ),
    *(
        "REGISTRATION_OPEN",
        "TOKEN_VAULT",
        "PAYMENT_PROCESSOR",
        "PROMETHEUS_MULTIPROC_DIR",
        "ARCHIVE_DIRECTORY",
        "WALLET_MANAGEMENT_URL",
    ),
    *("STREAM_SOCKET", "STREAM_PORT", "STATIC_HOST"),
    *("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "ARGS", "CMD", "PYTHON"),
}
NOT_FOR_TESTS_PREFIXES = (
    *(
        "RATE_LIMIT_",
        "LIMIT_",
        "WEB_",
        "ACCESS_TOKEN_",
        "REFRESH_TOKEN_",
        "REFUND_",
        "STAFF_",
        "RETENTION_MONTHS_",
        "EMAIL_",
        "NOTICE_",
        "AUTO_TOP_UP_",
    ),
    *("OTEL_", "SENTRY_", "STRIPE_", "BASIS_THEORY_", "APPLE_PAY_", "GOOGLE_PAY_", "MERCHANT_"),
)


def mode_of(given: Mapping[str, str]) -> str:
    """Return the mode to run in; refuse an unknown one, and production without its secrets."""
    mode = given.get("OPEN_WALLET_MODE") or SANDBOX
    if mode not in SETTINGS:
        raise CannotStart(f"OPEN_WALLET_MODE={mode} is unknown: give {SANDBOX} or {PRODUCTION}.")
    missing = [name for name in APPLICATION_SECRETS if not given.get(name)]
    if mode == PRODUCTION and missing:
        raise CannotStart(f"Production makes up no secrets: set {', '.join(missing)}.")
    return mode


def port_of(given: Mapping[str, str]) -> int:
    """Return the port to listen on; refuse what is none."""
    text = given.get("PORT") or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise CannotStart(f"PORT={text} is no port: give a number from 1 to 65535.")
    return int(text)


def host_of(given: Mapping[str, str]) -> str:
    return given.get("HOST") or LOOPBACK


def application_environment(
    *, given: Mapping[str, str], services: Mapping[str, str], data: DataDirectory
) -> dict[str, str]:
    """Return what the application runs with: the launcher's values, where `given` doesn't have its own."""
    mode = mode_of(given)
    values = {
        "OPEN_WALLET_MODE": mode,
        "DJANGO_SETTINGS_MODULE": SETTINGS[mode],
        "HOST": host_of(given),
        "PORT": str(port_of(given)),
        "PROMETHEUS_MULTIPROC_DIR": str(data.metrics),
        "STREAM_SOCKET": socket_address(data.stream_socket),
        "PYTHONUNBUFFERED": "1",
    }
    if mode == SANDBOX:
        values["PUBLIC_URL"] = f"http://{LOOPBACK}:{port_of(given)}"
        values |= {name: data.secrets()[name] for name in (*APPLICATION_SECRETS, "DEMO_PASSWORD")}
    return {**given, **values, **{name: given[name] for name in values if given.get(name)}, **services}


def socket_address(path: Path) -> str:
    """Return the shorter way to a Unix socket from here, where every process starts; nothing where both are too long."""
    address = min(os.path.relpath(path), str(path.absolute()), key=len)
    return address if len(os.fsencode(address)) <= LONGEST_SOCKET_ADDRESS_BYTES else ""


def environment_of_tests(*, given: Mapping[str, str], services: Mapping[str, str]) -> dict[str, str]:
    """Return what tests and checks run with: nothing of the developer's own configuration, and fresh secrets."""
    kept = {
        name: value
        for name, value in given.items()
        if name not in NOT_FOR_TESTS and not name.startswith(NOT_FOR_TESTS_PREFIXES)
    }
    made = new_secrets()
    return {
        **kept,
        "OPEN_WALLET_MODE": SANDBOX,
        "DJANGO_SETTINGS_MODULE": TEST_SETTINGS,
        **{name: made[name] for name in APPLICATION_SECRETS},
        # Checks read the settings and connect nowhere; tests get the real ones.
        "DATABASE_URL": "postgres://127.0.0.1:1/none",
        **services,
    }
