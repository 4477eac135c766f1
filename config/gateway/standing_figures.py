"""Figures of what a query of the books doesn't know: the replica's lag, and how old keys and certificates are."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509
from django.conf import settings
from django.db import DatabaseError, connections
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

log = structlog.get_logger("figures")

REPLICA = "replica"
_WRITTEN = "SELECT pg_current_wal_flush_lsn()::text"
_BEHIND = (
    "SELECT greatest(pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn()), 0),"
    " coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)"
    # One that was promoted follows nobody.
    " WHERE pg_is_in_recovery()"
)
# `rotate_signing_keys` and `make-secrets.sh` name a key by the day on which it was made.
_DAY = re.compile(r"(?<!\d)(20\d{2})(\d{2})(\d{2})(?!\d)")


class ReplicaFigures(Collector):
    """How far the replica is behind the primary; nothing where none is configured."""

    def describe(self) -> list[Metric]:
        """Tell nothing in advance: registering must not ask a database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Compare what the primary has written with what the replica shows; one that has all of it has no lag."""
        if REPLICA not in settings.DATABASES:
            return
        behind = None
        try:
            with connections["default"].cursor() as primary, connections[REPLICA].cursor() as replica:
                primary.execute(_WRITTEN)
                replica.execute(_BEHIND, [primary.fetchone()[0]])
                behind = replica.fetchone()
        except DatabaseError as failure:
            log.warning("replica_unreadable", reason=type(failure).__name__)
        yield GaugeMetricFamily(
            "open_wallet_replica_up", "Whether the replica could be asked.", value=int(behind is not None)
        )
        if behind is not None:
            lag_bytes, shown_s_ago = float(behind[0]), float(behind[1])
            yield GaugeMetricFamily(
                "open_wallet_replica_lag_bytes", "Log that the replica doesn't show yet.", value=lag_bytes
            )
            yield GaugeMetricFamily(
                "open_wallet_replica_lag_seconds",
                "Age of what the replica shows last, while it doesn't show everything.",
                value=shown_s_ago if lag_bytes else 0.0,
            )


class KeyFigures(Collector):
    """When the keys in use were made, by their names, and when certificates end."""

    def describe(self) -> list[Metric]:
        """Tell nothing in advance."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give the first key of each ring, where its name says its day, and each certificate that we hold."""
        made = GaugeMetricFamily(
            "open_wallet_key_made_timestamp_seconds", "When the key in use was made.", labels=["ring"]
        )
        rings: Mapping[str, Sequence[tuple[str, bytes]]] = {
            "jwt_signing": settings.JWT_SIGNING_KEYS,
            "encryption": settings.ENCRYPTION_KEYS,
        }
        for ring, keys in rings.items():
            if (day := day_of(keys[0][0])) is not None:
                made.add_metric([ring], day.timestamp())
        yield made
        ends = GaugeMetricFamily(
            "open_wallet_certificate_end_timestamp_seconds", "When a certificate ends.", labels=["name"]
        )
        for name in ("APPLE_PAY_MERCHANT_IDENTITY", "APPLE_PAY_ROOT_CA"):
            if path := getattr(settings, name):
                ends.add_metric([name.lower()], end_of(Path(path)).timestamp())
        yield ends


def day_of(key_id: str) -> datetime | None:
    """Read the day in a key's name; None where it has none."""
    found = _DAY.search(key_id)
    if found is None:
        return None
    try:
        return datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
    except ValueError:
        return None


def end_of(path: Path) -> datetime:
    """Tell when the certificate in a PEM file ends."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
