"""System checks: what must hold of every route before anything is served.

A view that declares no scopes would be closed to everybody; that a route can't even be started without them
makes whoever adds one decide who may use it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from payments.processors.contract import ChargeBy
from payments.processors.registry import processor_in_use
from payments.refusals import ProcessorFailed
from tokens.vaults.registry import vault_in_use
from transactions.prepared import is_mixed_up
from users.roles import AUTHENTICATED, PERMISSIONS, PUBLIC

API = "api/v1/"
WRITES = frozenset({"post", "put", "patch", "delete"})
WORKED_ON = frozenset({"default", "replica"})
KEY_USES = frozenset({"required", "accepted"})


def served_routes(
    patterns: Sequence[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    """Walk the URL table: each route's path and its pattern."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from served_routes(pattern.url_patterns, path)
        else:
            yield path, pattern


def route_errors(path: str, pattern: URLPattern) -> Iterator[checks.Error]:
    """Find what a route of the API fails to declare."""
    view: type[APIView] | None = getattr(pattern.callback, "cls", None)
    actions: dict[str, str] | None = getattr(pattern.callback, "actions", None)
    if view is None and not path.startswith(API):
        return
    if view is None or actions is None:
        yield checks.Error(f"/{path} is not served by a viewset.", id="config.E001", obj=path)
        return
    scopes: dict[str, str | tuple[str, ...]] = getattr(view, "scopes", {})
    keys: dict[str, str] = getattr(view, "keys", {})
    for method, action in actions.items():
        call = f"{method.upper()} /{path} ({view.__name__}.{action})"
        scope = scopes.get(action)
        if scope is None:
            yield checks.Error(
                f"{call} declares no scope.", hint="Add it to `scopes`.", id="config.E002", obj=path
            )
        elif scope not in (PUBLIC, AUTHENTICATED) and not PERMISSIONS.issuperset(
            (scope,) if isinstance(scope, str) else scope
        ):
            yield checks.Error(f"{call} declares the unknown permission {scope}.", id="config.E003", obj=path)
        # Without a principal there is nobody whose key it would be.
        if method in WRITES and scope != PUBLIC and keys.get(action) not in KEY_USES:
            yield checks.Error(
                f"{call} doesn't declare whether it needs an Idempotency-Key.",
                hint='Add it to `keys`, as "required" or "accepted".',
                id="config.E004",
                obj=path,
            )


def check_routes(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[checks.CheckMessage]:
    """Every route of the API declares its scopes, and every write the use of its key."""
    return [
        error
        for path, pattern in served_routes(get_resolver().url_patterns)
        for error in route_errors(path, pattern)
    ]


def check_database_roles(
    app_configs: Sequence[AppConfig] | None, **_options: Any
) -> list[checks.CheckMessage]:
    """The application doesn't work as the owner of its tables: an owner can switch the book's guards off."""
    databases = settings.DATABASES
    if databases["default"]["USER"] != databases["owner"]["USER"]:
        return []
    return [
        checks.Warning(
            "The application works as the owner of its tables.",
            hint="Set DATABASE_OWNER_URL to the owner's role and DATABASE_URL to one that isn't the owner.",
            id="config.W001",
        )
    ]


def check_providers(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[checks.CheckMessage]:
    """Vault and processor can be had as they are configured, and the one can charge what the other keeps."""
    try:
        vault, processor = vault_in_use(), processor_in_use()
        charge_by = processor.charge_by(vault=vault.name)
    except ImproperlyConfigured as missing:
        return [checks.Error(str(missing), id="config.E005")]
    except ProcessorFailed as unfit:
        return [_unfit(unfit.detail)]
    if charge_by is ChargeBy.CARD and not vault.needs_decrypted:
        return [_unfit("The vault gives no card numbers to this processor.")]
    return []


def _unfit(why: str) -> checks.CheckMessage:
    return checks.Error(
        f"PAYMENT_PROCESSOR {settings.PAYMENT_PROCESSOR} can't charge what TOKEN_VAULT {settings.TOKEN_VAULT} keeps.",
        hint=why,
        id="config.E006",
    )


def check_poolers(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_options: Any
) -> list[checks.CheckMessage]:
    """Find a pooler that would let one client run what another one has prepared; asked for with `--database`."""
    reached = set(databases or ()) & WORKED_ON & set(settings.DATABASES)
    return [
        checks.Warning(
            f"A pooler before the database {alias!r} keeps no account of prepared statements.",
            hint="In transaction mode set pgBouncer's max_prepared_statements above 0 (1.21 or newer).",
            id="config.W007",
        )
        for alias in sorted(reached)
        if is_mixed_up(alias)
    ]


def register_checks() -> None:
    """Register all checks of the composition root."""
    checks.register(check_routes, "api")
    checks.register(check_database_roles, "database_roles")
    checks.register(check_providers, "providers")
    checks.register(check_poolers, checks.Tags.database)
