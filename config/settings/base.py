"""What every installation shares. Only `config.environment` reads environment variables."""

from email.utils import parseaddr
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ

from config.environment import environment
from config.schedule import QUEUES, REPORTS, ROUTES, beat_schedule

# Lets classes such as ModelAdmin[Wallet] be written with their types at run time too.
django_stubs_ext.monkeypatch()

VERSION = "0.1.0"
BASE_DIR = Path(__file__).resolve().parent.parent.parent

OPEN_WALLET_MODE = environment.open_wallet_mode
SANDBOX = environment.sandbox
PUBLIC_URL = environment.public_url.rstrip("/")
SECRET_KEY = environment.secret_key
ALLOWED_HOSTS = list(environment.allowed_hosts)
DEBUG = False

INSTALLED_APPS = [
    "config",
    "backoffice",
    "payments",
    "wallets",
    "tokens",
    "transactions",
    "events",
    "users",
    "backoffice.apps.BackofficeAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "django_prometheus",
]

MIDDLEWARE = [
    "config.gateway.request_ids.RequestIdMiddleware",
    "config.gateway.access_log.AccessLogMiddleware",
    "config.gateway.api_log.ApiLogMiddleware",
    "config.gateway.metrics.RequestMetricsMiddleware",
    "config.gateway.security_headers.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.gateway.security_headers.CrossOriginMiddleware",
    "config.gateway.request_bounds.RequestBoundsMiddleware",
    "config.gateway.moved_time.MovedTimeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.gateway.browser_pages.PageSessions",
    "config.gateway.browser_pages.PageLanguages",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.gateway.browser_pages.PageLogins",
    "config.gateway.browser_pages.StaffSessions",
    "config.gateway.browser_pages.PageMessages",
    "config.gateway.browser_pages.PageTimeZones",
]

SENTRY_DSN = environment.sentry_dsn
SENTRY_ENVIRONMENT = environment.sentry_environment or OPEN_WALLET_MODE
IS_TRACED = bool(environment.otel_exporter_otlp_endpoint)
TRACED_SERVICE = environment.otel_service_name
if IS_TRACED:
    MIDDLEWARE.insert(0, "config.gateway.request_spans.RequestSpanMiddleware")

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "backoffice.page_context.standing",
            ],
        },
    },
]


def database(url: str, *, engine: str = "django.db.backends.postgresql") -> dict[str, Any]:
    """Read one database URL into Django's settings, with connections that stay open.

    It may name several hosts with `target_session_attrs=read-write`; what else stands behind its question mark goes to
    libpq as well, and counts before ours.
    """
    parsed = environ.Env.db_url_config(url)
    given = parsed.get("OPTIONS", {})
    return {
        **parsed,
        "ENGINE": engine,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": False,
        "OPTIONS": {
            # Without a threshold psycopg prepares nothing, not even what asks for it (`transactions.prepared`).
            "prepare_threshold": 5,
            # A server that went without a word is given up after seconds, not after the kernel's quarter of an hour.
            "connect_timeout": 3,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            **given,
            "options": "-c statement_timeout=30000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=15000"
            " -c client_connection_check_interval=2000 -c timezone=UTC"
            # What is prepared is planned once: a plan for each set of wallet ids costs half of locking them.
            f" -c plan_cache_mode=force_generic_plan {given.get('options', '')}".rstrip(),
        },
        "ATOMIC_REQUESTS": False,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


DATABASES = {
    "default": database(environment.database_url, engine="config.postgresql"),
    "owner": database(environment.database_owner_url or environment.database_url),
}
if environment.database_direct_url:
    DATABASES["direct"] = database(environment.database_direct_url)
if environment.replica_database_url:
    DATABASES["replica"] = database(environment.replica_database_url, engine="config.postgresql")
    # Not even a session on a server that has been promoted may write here; a dead one is given up soon.
    DATABASES["replica"]["OPTIONS"]["options"] += " -c default_transaction_read_only=on"
    DATABASES["replica"]["OPTIONS"]["connect_timeout"] = 2
DATABASE_ROUTERS = ["config.databases.OwnerMigrates"]

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["users.backends.StaffBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]  # half a translation is worse than none
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_HOST = environment.static_host
STATIC_URL = f"{STATIC_HOST}/static/"
# Fonts and modules of another host are loaded by its leave alone; nothing there is private.
WHITENOISE_ALLOW_ALL_ORIGINS = bool(STATIC_HOST)
STATIC_ROOT: Path | None = BASE_DIR / ".data" / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["users.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["config.gateway.scopes.DeclaredScopes"],
    "DEFAULT_THROTTLE_CLASSES": ["config.gateway.rate_limits.RateLimits"],
    "DEFAULT_PARSER_CLASSES": ["config.gateway.json_bodies.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.gateway.json_bodies.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.gateway.json_bodies.JSONAlways",
    "DEFAULT_SCHEMA_CLASS": "config.openapi.ContractSchema",
    "EXCEPTION_HANDLER": "config.gateway.errors.problem_for_exception",
    "DEFAULT_METADATA_CLASS": "config.gateway.scopes.Methods",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "DATETIME_FORMAT": "iso-8601",
    "COERCE_DECIMAL_TO_STRING": False,
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
}

# How long answers that are the same for everybody are kept, here and by clients, in seconds.
RESPONSE_CACHE_S = {"schema": 300, "jwks": 300, "dashboard": 30}

SPECTACULAR_SETTINGS = {
    "TITLE": "Open Wallet",
    "DESCRIPTION": (
        "Stored-value wallets: fund them, pay and transfer from them, and see every movement.\n\n"
        "Amounts are integers in the currency's minor unit. Every error is an RFC 9457 problem with a stable `code`. "
        "Calls that move money need an `Idempotency-Key`: one key has one effect, for ever."
    ),
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "SERVERS": [{"url": PUBLIC_URL}],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "config.openapi.add_components",
        "config.openapi.add_operations",
        "config.openapi_examples.add_examples",
    ],
    "TAGS": [
        {"name": name}
        for name in (
            "Authentication",
            "Wallets",
            "Payments",
            "Tokens",
            "Transactions",
            "Refunds",
            "Administration",
            "Events",
            "Operations",
            "Sandbox",
        )
    ],
}

PROBLEM_WRITER = "config.gateway.errors.stored_problem"
STREAM_SOCKET = environment.stream_socket
STREAM_HOST = environment.host
STREAM_PORT = environment.stream_port
AUDIT_TRAIL = "events.audit.record"
# What must not be written down of what people type: known up here, needed on the lowest floor.
REDACTION = "config.redaction.redacted_text"
# What the floors below the book ask of it, which they may not import.
WALLET_OWNERS = "transactions.queries.owners_of"
KEYED_WRITER = "transactions.api.keys.keyed_write"

REDIS_URL = environment.redis_url
CACHES: dict[str, dict[str, Any]] = (
    {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": environment.redis_url,
            "KEY_PREFIX": "ow",
            "OPTIONS": {
                "IGNORE_EXCEPTIONS": True,
                "SOCKET_CONNECT_TIMEOUT": 0.5,
                "SOCKET_TIMEOUT": 0.5,
            },
        }
    }
    if environment.redis_url
    else {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
)

CELERY_BROKER_URL = environment.redis_url or "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 100
CELERY_TASK_ROUTES = ROUTES
CELERY_TASK_DEFAULT_QUEUE = REPORTS
CELERY_TASK_QUEUES = {name: {"exchange": name, "routing_key": name} for name in QUEUES}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Redis hands a task out again after this long: a task that waited behind another one and then took all of its
    # own time limit must have ended by then.
    "visibility_timeout": 300,
    # A bell is rung in the customer's request: a broker that is away costs it milliseconds, one that hangs seconds.
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 0,
    "interval_start": 0,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = beat_schedule()

MERCHANT_COUNTRY = environment.merchant_country
WALLET_MANAGEMENT_URL = environment.wallet_management_url
STRIPE_PUBLISHABLE_KEY = environment.stripe_publishable_key
JWT_SIGNING_KEYS = environment.jwt_signing_keys
ENCRYPTION_KEYS = environment.encryption_keys
ACCESS_TOKEN_LIFETIME_S = environment.access_token_lifetime_s
REFRESH_TOKEN_LIFETIME_S = environment.refresh_token_lifetime_s
REGISTRATION_OPEN = environment.registration_open
RATE_LIMITS = {
    "global": environment.rate_limit_global,
    "user": environment.rate_limit_user,
    "payment": environment.rate_limit_payment,
    "service": environment.rate_limit_service,
    "login": environment.rate_limit_login,
}
STAFF_SECOND_FACTOR_IS_REQUIRED = (
    environment.staff_second_factor or ("optional" if SANDBOX else "required")
) == "required"
STAFF_IDLE_S = environment.staff_idle_s
STAFF_PROOF_LASTS_S = environment.staff_proof_lasts_s
# However busy, a browser logs in again on the next day.
SESSION_COOKIE_AGE = 12 * 3600
TRUSTED_PROXIES = environment.trusted_proxies
DEFAULT_WALLET_LIMITS = {
    "maximum_balance": environment.limit_maximum_balance,
    "per_transaction": environment.limit_per_transaction,
    "daily_outflow": environment.limit_daily_outflow,
    "monthly_outflow": environment.limit_monthly_outflow,
}
AUTO_TOP_UP_COOLDOWN_S = environment.auto_top_up_cooldown_s
AUTO_TOP_UP_DAILY_CAP = environment.auto_top_up_daily_cap
AUTO_TOP_UP_DISABLE_AFTER = environment.auto_top_up_disable_after
TOKEN_VAULT = environment.token_vault
PAYMENT_PROCESSOR = environment.payment_processor
BASIS_THEORY_API_KEY = environment.basis_theory_api_key
BASIS_THEORY_API_BASE = environment.basis_theory_api_base
STRIPE_API_KEY = environment.stripe_api_key
STRIPE_API_BASE = environment.stripe_api_base
MERCHANT_NAME = environment.merchant_name
APPLE_PAY_MERCHANT_ID = environment.apple_pay_merchant_id
APPLE_PAY_ROOT_CA = environment.apple_pay_root_ca
APPLE_PAY_PROCESSING_KEYS = environment.apple_pay_processing_keys
APPLE_PAY_MERCHANT_IDENTITY = environment.apple_pay_merchant_identity
APPLE_PAY_DOMAIN = environment.apple_pay_domain
GOOGLE_PAY_ENVIRONMENT = environment.google_pay_environment or ("TEST" if SANDBOX else "PRODUCTION")
GOOGLE_PAY_MERCHANT_ID = environment.google_pay_merchant_id
GOOGLE_PAY_RECIPIENT_ID = environment.google_pay_recipient_id
GOOGLE_PAY_GATEWAY_MERCHANT_ID = environment.google_pay_gateway_merchant_id
GOOGLE_PAY_ROOT_KEYS = environment.google_pay_root_keys
GOOGLE_PAY_PRIVATE_KEYS = environment.google_pay_private_keys
STRIPE_WEBHOOK_SECRETS = environment.stripe_webhook_secret
STRIPE_RETURN_URL = environment.stripe_return_url
BASIS_THEORY_WEBHOOK_SECRET = environment.basis_theory_webhook_secret
BASIS_THEORY_WEBHOOK_KEY = environment.basis_theory_webhook_key
REFUND_APPROVAL_LIMIT = environment.refund_approval_limit
REFUND_TARGET_HOURS = environment.refund_target_hours
REFUND_AUTO_APPROVAL_BELOW = environment.refund_auto_approval_below
EMAIL_IS_SENT = bool(environment.email_url) or SANDBOX
_MAIL = environ.Env.email_url_config(environment.email_url or "consolemail://")
EMAIL_BACKEND = _MAIL["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _MAIL["EMAIL_HOST"], _MAIL["EMAIL_PORT"] or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL["EMAIL_HOST_USER"] or "", _MAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = _MAIL.get("EMAIL_USE_TLS", False), _MAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = environment.email_from
EMAIL_DOMAIN = parseaddr(environment.email_from)[1].rpartition("@")[2] or "localhost"
NOTICE_THRESHOLDS = {
    "low_balance": environment.notice_low_balance,
    "large_debit": environment.notice_large_debit,
}
DEMO_PASSWORD = environment.demo_password
# How long a call of the API may wait in memory until it is written down for staff to see.
API_LOG_EVERY_S = 1.0
ARCHIVE_DIRECTORY = environment.archive_directory
RETENTION_MONTHS = {
    "events_event": environment.retention_months_events,
    "events_auditentry": environment.retention_months_audit,
    "events_apicall": environment.retention_months_api_log,
    "events_webhookdelivery": environment.retention_months_deliveries,
}

CORS_ALLOWED_ORIGINS = list(environment.cors_origins)
CORS_URLS_REGEX = r"^/(api/v1|sandbox|\.well-known)/"
CORS_ALLOW_HEADERS = (
    "authorization",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "traceparent",
    "tracestate",
    "x-request-id",
)
CORS_EXPOSE_HEADERS = (
    "ETag",
    "Idempotent-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "traceparent",
    "X-Request-ID",
)
RATELIMIT_CACHE_PREFIX = "ow:rl:"
LOG_LEVEL = environment.log_level
LOGGING_CONFIG = "config.logs.configure"
LOGGING: dict[str, Any] = {"level": LOG_LEVEL}
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
X_FRAME_OPTIONS = "DENY"
# `no-referrer` would make browsers send `Origin: null` with forms, which the CSRF check refuses.
SECURE_REFERRER_POLICY = "same-origin"
CSRF_FAILURE_VIEW = "config.gateway.errors.csrf_failed"
