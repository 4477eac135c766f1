"""The figures of the business and the proofs of the books, read when Prometheus asks, never while money moves."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError, connection, transaction
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from config.gateway.standing_figures import KeyFigures, ReplicaFigures

log = structlog.get_logger("figures")

# How long one reading serves all scrapes, and how long all of its queries may take.
READING_LASTS_S = 30
STATEMENT_TIMEOUT_MS = 5000

Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: its query answers the values of its labels, then the number."""

    kind: type[CounterMetricFamily | GaugeMetricFamily]
    name: str
    text: str
    labels: tuple[str, ...]
    query: str


FIGURES = (
    Figure(
        CounterMetricFamily,
        "open_wallet_wallets_created",
        "Wallets that were ever created.",
        ("currency",),
        "SELECT currency, count(*) FROM wallets_wallet GROUP BY currency",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_wallets",
        "Wallets by status.",
        ("status",),
        "SELECT status, count(*) FROM wallets_wallet GROUP BY status",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_transactions",
        "Movements of money by kind and status.",
        ("kind", "status"),
        "SELECT kind, status, count(*) FROM transactions_transfer GROUP BY kind, status",
    ),
    Figure(
        CounterMetricFamily,
        "open_wallet_volume_minor_units",
        "Money that came into wallets, in the currency's minor unit.",
        ("currency",),
        "SELECT currency, sum(total_in) FROM transactions_ledgeraccount WHERE code IS NULL GROUP BY currency",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_payments",
        "Payments by status.",
        ("status",),
        "SELECT status, count(*) FROM payments_payment GROUP BY status",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_payment_success_ratio",
        "Payments that succeeded, of those that were decided in the last 24 hours.",
        (),
        "SELECT coalesce(avg((status NOT IN ('failed'))::int), 1) FROM payments_payment"
        " WHERE created_at > now() - interval '24 hours' AND status NOT IN ('pending', 'requires_action')",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_oldest_pending_seconds",
        "Age of the oldest movement that is still pending.",
        (),
        "SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM transactions_transfer"
        " WHERE status = 'pending'",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_books_imbalance_minor_units",
        "Sum of all balances of a currency: 0, or the books are wrong.",
        ("currency",),
        "SELECT currency, sum(amount) FROM ("
        " SELECT currency, balance AS amount FROM transactions_ledgeraccount"
        " UNION ALL"
        " SELECT account.currency, delta.amount FROM transactions_delta delta"
        " JOIN transactions_ledgeraccount account ON account.id = delta.account_id"
        ") balances GROUP BY currency",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_accounts_below_floor",
        "Accounts whose available balance is below their floor: 0, or the books are wrong.",
        (),
        "SELECT count(*) FROM transactions_ledgeraccount WHERE balance - held < floor",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_receivables_minor_units",
        "What customers owe for charges that were taken back after they had spent them.",
        ("currency",),
        "SELECT currency, sum(receivable) FROM transactions_ledgeraccount WHERE receivable > 0 GROUP BY currency",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_failed_work",
        "Work that failed five times in a row or more and is for people to look at, by kind.",
        ("kind",),
        "SELECT kind, count(*) FROM events_failedwork WHERE tries >= 5 GROUP BY kind",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_refunds",
        "Refunds by status.",
        ("status",),
        "SELECT status, count(*) FROM payments_refund GROUP BY status",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_oldest_refund_seconds",
        "Age of the oldest refund that isn't finished, by status.",
        ("status",),
        "SELECT s.status, coalesce(extract(epoch FROM now() - min(r.created_at)), 0)"
        " FROM (VALUES ('pending'), ('approved'), ('processing')) AS s (status)"
        " LEFT JOIN payments_refund AS r ON r.status = s.status GROUP BY s.status",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_work_lag_seconds",
        "How long the oldest row that is due has waited for a worker, by queue of rows.",
        ("kind",),
        "SELECT kind, coalesce(extract(epoch FROM greatest(now() - due_at, interval '0')), 0) FROM ("
        " SELECT 'payments' AS kind, min(due_at) AS due_at FROM payments_payment WHERE due_at IS NOT NULL"
        " UNION ALL SELECT 'refunds', min(due_at) FROM payments_refund WHERE due_at IS NOT NULL"
        " UNION ALL SELECT 'provider_events', min(due_at) FROM payments_providerevent WHERE due_at IS NOT NULL"
        " UNION ALL SELECT 'top_ups', min(due_at) FROM payments_autotopup WHERE due_at IS NOT NULL"
        " UNION ALL SELECT 'exports', min(due_at) FROM backoffice_export WHERE due_at IS NOT NULL"
        ") AS queues",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_partitions_missing",
        "Monthly partitions that should have been made ahead, and weren't.",
        (),
        "SELECT count(*) FROM (VALUES ('events_event'), ('events_auditentry'), ('events_apicall'),"
        " ('events_webhookdelivery')) AS t (parent), generate_series(0, 3) AS ahead"
        " WHERE to_regclass(parent || to_char(date_trunc('month', now() AT TIME ZONE 'UTC')"
        "   + make_interval(months => ahead), '_YYYY_MM')) IS NULL",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_outbox_lag_seconds",
        "Age of the oldest effect that is not published yet.",
        (),
        "SELECT coalesce((SELECT extract(epoch FROM now() - created_at) FROM events_outbox"
        " ORDER BY number NULLS FIRST LIMIT 1), 0)",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_outbox_set_aside",
        "Effects that could not be taken apart into events: 0, or somebody must look at them.",
        (),
        "SELECT count(*) FROM events_outbox WHERE number >= 1::bigint << 62",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_webhook_lag_seconds",
        "Age of the oldest event that an enabled endpoint has not been sent a first time.",
        (),
        "SELECT coalesce(max(extract(epoch FROM now() - waiting.created_at)), 0) FROM events_webhookendpoint AS e,"
        " LATERAL (SELECT created_at FROM events_webhookdelivery WHERE endpoint_id = e.id AND status = 'pending'"
        "   AND attempts = 0 ORDER BY event_position LIMIT 1) AS waiting WHERE e.status = 'enabled'",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_last_event_position",
        "The last position that was given to an event.",
        (),
        "SELECT last FROM events_eventposition",
    ),
    Figure(
        GaugeMetricFamily,
        "open_wallet_newest_checkpoint_age_seconds",
        "Time since a checkpoint sealed anything; it grows as well while nothing happens.",
        (),
        "SELECT coalesce(extract(epoch FROM now() - max(c.sealed_at)), 0) FROM transactions_checkpoint AS c",
    ),
)


@dataclass(slots=True)
class _Reading:
    until_s: float = 0.0
    rows: dict[str, Rows] = field(default_factory=dict)
    is_complete: bool = False


class Figures(Collector):
    """Collects the figures; one reading serves the scrapes of half a minute."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reading = _Reading()

    def describe(self) -> list[Metric]:
        """Tell nothing in advance: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give all figures, and whether they could be read."""
        with self.lock:
            if time.monotonic() >= self.reading.until_s:
                self.reading = self.read()
            reading = self.reading
        for figure in FIGURES:
            family = figure.kind(figure.name, figure.text, labels=figure.labels)
            for row in reading.rows.get(figure.name, []):
                family.add_metric([str(value) for value in row[:-1]], float(row[-1]))
            yield family
        yield GaugeMetricFamily(
            "open_wallet_figures_up", "Whether the figures could be read.", value=int(reading.is_complete)
        )

    def read(self) -> _Reading:
        """Run the queries, each one for all labels at once."""
        reading = _Reading(until_s=time.monotonic() + READING_LASTS_S)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", [STATEMENT_TIMEOUT_MS])
                for figure in FIGURES:
                    cursor.execute(figure.query)
                    reading.rows[figure.name] = cursor.fetchall()
            reading.is_complete = True
        except DatabaseError as failure:
            log.warning("figures_unavailable", reason=type(failure).__name__)
        return reading


figures = Figures()
registry = CollectorRegistry()
registry.register(figures)
registry.register(ReplicaFigures())
registry.register(KeyFigures())
