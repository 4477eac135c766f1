"""The beat table: what runs by itself, and how often.

Each entry is a sweep over due rows: it finds what a lost task would have done, so that the loss of a queue, a
worker or a beat delays work and never drops it. `manage.py work` runs the same table without Celery.

And which queue each task waits in: what moves money never waits behind a report.
"""

from typing import Any, TypedDict


class Entry(TypedDict):
    """One line of the table; Celery reads it as it stands."""

    task: str
    schedule: float


BEAT: dict[str, Entry] = {
    "publish what happened": {"task": "events.publish", "schedule": 1.0},
    "tell people what happened": {"task": "events.tell_people", "schedule": 5.0},
    "forget old notices": {"task": "events.forget_old_notices", "schedule": 24 * 3600.0},
    "send webhooks that are due": {"task": "events.send_due_webhooks", "schedule": 2.0},
    "roll up the system accounts": {"task": "transactions.roll_up", "schedule": 2.0},
    "drop the bytes of old answers": {"task": "transactions.drop_old_answers", "schedule": 3600.0},
    "seal what was completed": {"task": "transactions.seal", "schedule": 60.0},
    "seal what was overlooked": {"task": "transactions.seal_overlooked", "schedule": 24 * 3600.0},
    "make partitions ahead": {"task": "events.make_partitions", "schedule": 6 * 3600.0},
    "archive old partitions": {"task": "events.archive_partitions", "schedule": 24 * 3600.0},
    "settle or release due payments": {"task": "payments.sweep_due_payments", "schedule": 15.0},
    "follow what providers told us": {"task": "payments.sweep_due_events", "schedule": 15.0},
    "let the sandbox's provider speak": {"task": "payments.deliver_sandbox_webhooks", "schedule": 5.0},
    "top up the wallets that are due": {"task": "payments.sweep_due_top_ups", "schedule": 15.0},
    "top up the wallets that were overlooked": {
        "task": "payments.sweep_overlooked_top_ups",
        "schedule": 60.0,
    },
    "expire payment sessions": {"task": "payments.expire_due_sessions", "schedule": 60.0},
    "execute due refunds": {"task": "payments.sweep_due_refunds", "schedule": 15.0},
    "ask again about succeeded refunds": {"task": "payments.recheck_refunds", "schedule": 15.0},
    "roll up the dashboard's figures": {"task": "payments.roll_up_figures", "schedule": 60.0},
    "close and prove the days of processors": {"task": "payments.prove_days", "schedule": 60.0},
    "destroy card data that nothing names": {"task": "tokens.sweep_vault", "schedule": 3600.0},
    "purge expired counters of calls": {"task": "config.purge_expired_counters", "schedule": 900.0},
    "forget ended sessions": {"task": "users.forget_ended_sessions", "schedule": 3600.0},
    "make the files that staff wait for": {"task": "backoffice.make_due_exports", "schedule": 15.0},
    "forget old files": {"task": "backoffice.forget_old_exports", "schedule": 24 * 3600.0},
    "free holds that have expired": {"task": "wallets.expire_due_holds", "schedule": 5.0},
    "end suspensions that ran out": {"task": "wallets.end_due_suspensions", "schedule": 60.0},
}

MONEY, WEBHOOKS, REPORTS = "money", "webhooks", "reports"
QUEUES = (MONEY, WEBHOOKS, REPORTS)

ROUTES = {
    "backoffice.*": {"queue": REPORTS},
    "config.*": {"queue": REPORTS},
    "events.*": {"queue": WEBHOOKS},
    "events.archive_partitions": {"queue": REPORTS},
    "events.make_partitions": {"queue": REPORTS},
    # It is short, and deliveries to slow endpoints must not hold up what they deliver.
    "events.publish": {"queue": MONEY},
    "payments.*": {"queue": MONEY},
    "payments.expire_due_sessions": {"queue": REPORTS},
    "payments.prove_days": {"queue": REPORTS},
    "payments.roll_up_figures": {"queue": REPORTS},
    "tokens.*": {"queue": REPORTS},
    "transactions.*": {"queue": MONEY},
    "transactions.drop_old_answers": {"queue": REPORTS},
    "transactions.seal": {"queue": REPORTS},
    "transactions.seal_overlooked": {"queue": REPORTS},
    "users.*": {"queue": REPORTS},
    "wallets.*": {"queue": MONEY},
}


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Give the table as Celery's beat takes it: a sweep that nobody took by its next turn is worth nothing then."""
    return {name: {**entry, "options": {"expires": entry["schedule"]}} for name, entry in BEAT.items()}
