"""Every environment variable that Open Wallet reads: its name, type, default and meaning, in one place.

`environment` is read once, when the settings are imported. A value that can't be used, or a secret that is
missing in production, stops the boot with the variable's name and what was expected.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.key_file_forms import (
    certificate_file,
    identity_file,
    key_list_source,
    p256_key_files,
    private_key_files,
)
from config.value_forms import (
    Rate,
    amounts_by_currency,
    country,
    domain,
    flag,
    key_ring,
    names,
    one_of,
    origin,
    origins,
    port,
    provider_base,
    public_key_file,
    rate,
    recipient,
    sheet_name,
    text,
    url,
    whole,
    without_blanks,
)
from config.variables import variable

SANDBOX = "sandbox"
PRODUCTION = "production"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The typed values of all environment variables; a field is named as its variable, in lower case."""

    open_wallet_mode: str = variable(
        "`sandbox` has demo data, test devices and a test clock; `production` has none of them.",
        one_of(SANDBOX, PRODUCTION),
        PRODUCTION,
    )
    port: int = variable("The port that the web server listens on.", port, 8000)
    host: str = variable("The address that the web server listens on.", text, "127.0.0.1")
    database_url: str = variable(
        "The PostgreSQL database, as the application's role; with several hosts and "
        "`target_session_attrs=read-write` the one that takes writes.",
        url("postgres", "postgresql"),
        secret=True,
    )
    database_owner_url: str = variable(
        "The same database as its owner, who migrates and makes partitions; `DATABASE_URL` when empty.",
        url("postgres", "postgresql"),
        "",
        secret=True,
    )
    database_direct_url: str = variable(
        "The same database as the application's role past a pooler, for whoever listens to it; `DATABASE_URL` when empty.",
        url("postgres", "postgresql"),
        "",
        secret=True,
    )
    replica_database_url: str = variable(
        "A streaming replica for reports and history; none when empty.",
        url("postgres", "postgresql"),
        "",
        secret=True,
    )
    redis_url: str = variable(
        "Redis or Valkey for caches, counters and the Celery broker; without it PostgreSQL counts and "
        "`manage.py work` sweeps.",
        url("redis", "rediss", "unix"),
        "",
        secret=True,
    )
    secret_key: str = variable(
        "Signs sessions and keys fingerprints; 50 characters or more.", text, secret=True
    )
    allowed_hosts: tuple[str, ...] = variable(
        "Host names that are served, separated by commas.",
        names,
        ("localhost", "127.0.0.1", "[::1]"),
        required_in_production=True,
    )
    public_url: str = variable(
        "Where clients reach this installation; the base of links in answers and the issuer of tokens.",
        url("http", "https"),
        "http://localhost:8000",
        required_in_production=True,
    )
    trusted_proxies: int = variable(
        "How many proxies in front append to X-Forwarded-For; 0 believes the connection alone.", whole, 0
    )
    static_host: str = variable(
        "A host such as `https://cdn.example.com` that fetches `/static/` here and serves it; this host itself when"
        " empty.",
        origin,
        "",
    )
    cors_origins: tuple[str, ...] = variable("Web origins that may call the API.", origins, ())
    log_level: str = variable(
        "The least severe level that is logged.", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"
    )
    sentry_dsn: str = variable(
        "Where unhandled errors are reported to, without bodies, people or secrets; nowhere when empty.",
        url("https", "http"),
        "",
        secret=True,
    )
    sentry_environment: str = variable(
        "What reports of errors name as their environment; `OPEN_WALLET_MODE` when empty.", text, ""
    )
    otel_exporter_otlp_endpoint: str = variable(
        "The collector that traces are sent to by OTLP over HTTP, such as `http://localhost:4318`; no traces when"
        " empty. The standard's other variables (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, …) hold too.",
        url("https", "http"),
        "",
    )
    otel_service_name: str = variable("The name that traces are sent under.", text, "open-wallet")
    jwt_signing_keys: tuple[tuple[str, bytes], ...] = variable(
        "Ed25519 seeds for access tokens: the first one signs, the others still verify.",
        key_ring,
        secret=True,
    )
    encryption_keys: tuple[tuple[str, bytes], ...] = variable(
        "AES-256 keys for sealed columns: the first one seals, the others still open.", key_ring, secret=True
    )
    access_token_lifetime_s: int = variable("How long an access token is good for, in seconds.", whole, 900)
    refresh_token_lifetime_s: int = variable(
        "How long a refresh token is good for, in seconds.", whole, 14 * 86400
    )
    registration_open: bool = variable("Whether anybody may register as a customer.", flag, True)
    rate_limit_global: Rate | None = variable("Calls for each client address.", rate, Rate(100, 900))
    rate_limit_user: Rate | None = variable(
        "Calls for each customer or member of staff.", rate, Rate(50, 900)
    )
    rate_limit_payment: Rate | None = variable(
        "POST calls to payment endpoints for each user.", rate, Rate(10, 900)
    )
    rate_limit_service: Rate | None = variable(
        "Calls for each service client, instead of the other three.", rate, Rate(10000, 900)
    )
    rate_limit_login: Rate | None = variable(
        "Failed log-ins for each account and for each address.", rate, Rate(10, 900)
    )
    staff_second_factor: str = variable(
        "Whether staff log in to the back office with a second factor: `required` or `optional`; when empty `required`"
        " in production, where it can't be `optional`, and `optional` in the sandbox.",
        one_of("required", "optional"),
        "",
        sandbox_only="optional",
    )
    staff_idle_s: int = variable(
        "How long a member of staff may do nothing in the back office before they are logged out, in seconds.",
        whole,
        900,
    )
    staff_proof_lasts_s: int = variable(
        "How long after a password or code staff may decide about money without being asked again, in seconds.",
        whole,
        300,
    )
    token_vault: str = variable(
        "Where card data is kept: `local`, `basis_theory`, `stripe` or a dotted path.", text, "local"
    )
    payment_processor: str = variable(
        "Who charges cards: `sandbox`, `stripe`, `basis_theory_proxy` or a dotted path.", text, "sandbox"
    )
    basis_theory_api_key: str = variable(
        "The private application key of Basis Theory; needed by its vault and its proxy.",
        without_blanks(),
        "",
        secret=True,
    )
    basis_theory_api_base: str = variable(
        "Where the API of Basis Theory is.",
        provider_base,
        "https://api.basistheory.com",
        sandbox_only="http:",
    )
    stripe_api_key: str = variable(
        "The secret or restricted key of Stripe; needed by its vault and its processor.",
        without_blanks("sk_", "rk_"),
        "",
        secret=True,
    )
    stripe_api_base: str = variable(
        "Where the API of Stripe is.", provider_base, "https://api.stripe.com", sandbox_only="http:"
    )
    merchant_name: str = variable("The name that payment sheets show.", sheet_name, "Open Wallet")
    apple_pay_merchant_id: str = variable(
        "The merchant id at Apple, `merchant.com.example`; part of the key of each token.",
        without_blanks("merchant."),
        "",
    )
    apple_pay_root_ca: str = variable(
        "A PEM file with the root that Apple Pay's signatures must lead to; Apple Root CA - G3 when empty, and in the"
        " sandbox that of its own phones too.",
        certificate_file,
        "",
    )
    apple_pay_processing_keys: tuple[str, ...] = variable(
        "PEM files with the private keys of the payment processing certificates, separated by commas; needed where"
        " `TOKEN_VAULT` has tokens decrypted here.",
        private_key_files,
        (),
    )
    apple_pay_merchant_identity: str = variable(
        "A PEM file with the merchant identity certificate and its key: how Apple knows us when a web page pays.",
        identity_file,
        "",
    )
    apple_pay_domain: str = variable("The domain, registered at Apple, whose pages pay.", domain, "")
    google_pay_environment: str = variable(
        "Google's `TEST` or `PRODUCTION`; when empty `TEST` in the sandbox and `PRODUCTION` in production.",
        one_of("TEST", "PRODUCTION"),
        "",
    )
    google_pay_merchant_id: str = variable(
        "The merchant id at Google, from its Pay console.", without_blanks(), ""
    )
    google_pay_recipient_id: str = variable(
        "Whom Google's tokens are signed for: `merchant:` or `gateway:` and an id. When empty, the merchant id's, or"
        " in `TEST` that of Google's test merchant.",
        recipient,
        "",
    )
    google_pay_gateway_merchant_id: str = variable(
        "Our id at the gateway that `GOOGLE_PAY_RECIPIENT_ID` names.", without_blanks(), ""
    )
    google_pay_root_keys: str = variable(
        "The URL or the file of the keys that sign for Google Pay; Google's of the environment when empty, and in the"
        " sandbox those of its own phones too.",
        key_list_source,
        "",
        sandbox_only="http:",
    )
    google_pay_private_keys: tuple[str, ...] = variable(
        "PEM files with the private keys that tokens are encrypted to, separated by commas; needed where"
        " `TOKEN_VAULT` has tokens decrypted here.",
        p256_key_files,
        (),
    )
    stripe_webhook_secret: tuple[str, ...] = variable(
        "What Stripe signs its webhooks with (`whsec_…`), separated by commas while one replaces another; without it"
        " none are taken.",
        names,
        (),
        secret=True,
    )
    stripe_return_url: str = variable(
        "Where a bank's page sends the customer back to after a confirmation; without it clients confirm with"
        " Stripe's own library.",
        url("https", "http"),
        "",
    )
    basis_theory_webhook_secret: str = variable(
        "What Basis Theory signs its webhooks with, where it does so by HMAC.", text, "", secret=True
    )
    basis_theory_webhook_key: bytes = variable(
        "A PEM file with the public key of Basis Theory's webhooks, where it signs by RSA-PSS.",
        public_key_file,
        b"",
    )
    auto_top_up_cooldown_s: int = variable(
        "How long after one automatic top-up of a wallet the next one may follow, in seconds.", whole, 60
    )
    auto_top_up_daily_cap: int = variable(
        "How many automatic top-ups a wallet may have on one day of its owner's calendar.", whole, 5
    )
    auto_top_up_disable_after: int = variable(
        "After how many declines in a row a wallet is topped up no more.", whole, 3
    )
    merchant_country: str = variable(
        "The country that payment sheets name as ours, ISO 3166 in two letters.", country, "US"
    )
    wallet_management_url: str = variable(
        "Where customers manage their automatic top-ups, as payment sheets show it; `PUBLIC_URL` when empty.",
        url("http", "https"),
        "",
    )
    stripe_publishable_key: str = variable(
        "The publishable key of Stripe, which Google Pay's clients need where Stripe is their gateway.",
        without_blanks("pk_"),
        "",
    )
    limit_maximum_balance: dict[str, int] = variable(
        "The most that a wallet may hold, in minor units by currency.", amounts_by_currency, {}
    )
    limit_per_transaction: dict[str, int] = variable(
        "The most that one payment or transfer may take out, in minor units by currency.",
        amounts_by_currency,
        {},
    )
    limit_daily_outflow: dict[str, int] = variable(
        "The most that may leave a wallet in one UTC day, in minor units by currency.",
        amounts_by_currency,
        {},
    )
    limit_monthly_outflow: dict[str, int] = variable(
        "The most that may leave a wallet in one UTC month, in minor units by currency.",
        amounts_by_currency,
        {},
    )
    refund_approval_limit: dict[str, int] = variable(
        "The most that one person may approve of refunds within 24 hours, in minor units by currency.",
        amounts_by_currency,
        {},
    )
    refund_target_hours: int = variable(
        "How long a refund should wait for its decision at most, in hours; the queue marks what waits longer.",
        whole,
        24,
    )
    refund_auto_approval_below: dict[str, int] = variable(
        "Refunds are approved by themselves while those of a wallet within 24 hours stay below this together, in minor"
        " units by currency; none is when empty.",
        amounts_by_currency,
        {},
    )
    demo_password: str = variable(
        "The password and client secret of the demo accounts (sandbox only).", text, "", secret=True
    )
    email_url: str = variable(
        "The mail server for notices, such as `smtp+tls://user:password@mail.example.com:587`; without it the "
        "sandbox prints them and production sends none.",
        url("smtp", "smtp+tls", "smtp+ssl"),
        "",
        secret=True,
    )
    email_from: str = variable("The sender of notices.", text, "Open Wallet <notices@localhost>")
    notice_low_balance: dict[str, int] = variable(
        "The balance below which a wallet counts as low, in minor units by currency; customers may choose their own.",
        amounts_by_currency,
        {"*": 1_000},
    )
    notice_large_debit: dict[str, int] = variable(
        "The least debit that counts as large, in minor units by currency; customers may choose their own.",
        amounts_by_currency,
        {"*": 50_000},
    )
    web_workers: int = variable("Worker processes of the web server; 0 takes one for each core.", whole, 0)
    web_socket: str = variable(
        "The Unix socket that the web server listens on in place of `HOST` and `PORT`, for a proxy on the same machine.",
        text,
        "",
    )
    stream_socket: str = variable(
        "The Unix socket by which the API's web server hands listeners of `/events/stream` over to "
        "`manage.py serve_stream` on the same machine; without it they are sent what they missed and come back.",
        text,
        "",
    )
    stream_port: int = variable(
        "The port on `HOST` on which `manage.py serve_stream` listens by itself, for a proxy that sends it "
        "`/api/v1/events/stream`; 0 for none.",
        whole,
        0,
    )
    prometheus_multiproc_dir: str = variable(
        "A folder that the web workers share their metrics in; emptied at each start.", text, ""
    )
    web_threads: int = variable("Threads of each web worker.", whole, 8)
    archive_directory: str = variable(
        "Where old months of events, audit, API log and deliveries are archived to; without it they stay.",
        text,
        "",
    )
    retention_months_events: int = variable(
        "Whole months of published events that stay in the database; 0 keeps all.", whole, 24
    )
    retention_months_audit: int = variable(
        "Whole months of the audit trail that stay in the database; 0 keeps all.", whole, 0
    )
    retention_months_api_log: int = variable(
        "Whole months of the log of API calls that stay in the database; 0 keeps all.", whole, 13
    )
    retention_months_deliveries: int = variable(
        "Whole months of webhook deliveries that stay in the database; 0 keeps all.", whole, 6
    )

    @property
    def sandbox(self) -> bool:
        """Whether this installation plays with pretended money."""
        return self.open_wallet_mode == SANDBOX


def read_environment(values: Mapping[str, str]) -> Environment:
    """Read all variables; an empty value counts as unset.

    Refuses with ImproperlyConfigured, naming the variable and what was expected, but never its value.
    """
    mode = values.get("OPEN_WALLET_MODE") or PRODUCTION
    found: dict[str, Any] = {}
    for declared in fields(Environment):
        name = declared.name.upper()
        value = values.get(name, "")
        if value:
            try:
                found[declared.name] = declared.metadata["parse"](value)
            except ValueError as expected:
                raise ImproperlyConfigured(f"{name} can't be used: expected {expected}.") from None
            sandbox_only = declared.metadata["sandbox_only"]
            if mode == PRODUCTION and sandbox_only and value.startswith(sandbox_only):
                raise ImproperlyConfigured(
                    f"{name} can't be used: expected one that doesn't start with {sandbox_only} in production."
                )
        elif declared.metadata["required"] or (
            mode == PRODUCTION and declared.metadata["required_in_production"]
        ):
            raise ImproperlyConfigured(f"{name} is not set: {declared.metadata['doc']}")
    return Environment(**found)


environment = read_environment(os.environ)
