"""What the application's database role may do, table by table; given by the owner after each migrate.

The role never owns a table: it can neither truncate nor drop one, nor switch a trigger off. A table that
isn't listed here is one that the application can't touch.
"""

from typing import Any

from django.conf import settings
from django.db import connections, transaction
from psycopg import sql

READ = "SELECT"
APPEND = "SELECT, INSERT"
KEEP = "SELECT, INSERT, UPDATE"
ALL = "SELECT, INSERT, UPDATE, DELETE"

PRIVILEGES = {
    "auth_group": ALL,
    "auth_group_permissions": ALL,
    "auth_permission": ALL,
    "backoffice_export": ALL,
    "backoffice_exportpart": "SELECT, INSERT, DELETE",
    "backoffice_note": APPEND,
    "backoffice_savedview": ALL,
    "backoffice_tag": "SELECT, INSERT, DELETE",
    "django_admin_log": APPEND,
    "django_content_type": ALL,
    "django_migrations": READ,
    "django_session": ALL,
    "events_apicall": APPEND,
    "events_auditentry": APPEND,
    "events_clocklead": "SELECT, INSERT, UPDATE (ahead, moved_at)",
    "events_event": APPEND,
    "events_eventposition": "SELECT, UPDATE",
    "events_failedwork": ALL,
    "events_noticeplace": "SELECT, UPDATE",
    "events_notification": ALL,
    "events_outbox": ALL,
    "events_webhookdelivery": KEEP,
    "events_webhookendpoint": KEEP,
    "payments_autotopup": KEEP,
    "payments_closedday": "SELECT, INSERT, UPDATE (version, changed_at, proved_at)",
    "payments_closeddayfigure": APPEND,
    "payments_currencyfloat": KEEP,
    "payments_customeractivity": "SELECT, INSERT, UPDATE (last_hour)",
    "payments_dispute": "SELECT, INSERT, UPDATE (withdrawn, reason, status, updated_at)",
    "payments_figuresplace": KEEP,
    "payments_hourfigures": KEEP,
    "payments_hourvolume": KEEP,
    "payments_payment": (
        "SELECT, INSERT, UPDATE (refunded_amount, status, decline_code, decline_class, failure_code, next_action,"
        " processor_reference, transaction_id, transfer_id, due_at, checks, checked_at, completed_at)"
    ),
    "payments_paymentsession": "SELECT, INSERT, UPDATE (status, payment_id, closed_at)",
    "payments_providerevent": KEEP,
    "payments_refund": (
        "SELECT, INSERT, UPDATE (status, decided_by, decided_at, decision_reason, failure_code,"
        " processor_reference, transfer_id, due_at, checks, checked_at, recheck_at, completed_at)"
    ),
    "payments_sandboxcharge": "SELECT, INSERT, UPDATE (status)",
    "payments_sandboxdispute": "SELECT, INSERT, UPDATE (status, told_at)",
    "payments_sandboxrefund": "SELECT, INSERT, UPDATE (status, failure_code)",
    "payments_savedmethod": "SELECT, INSERT, UPDATE (is_default), DELETE",
    "payments_settlementbreak": (
        "SELECT, INSERT, UPDATE (status, resolution, adjustment_id, proposed_by, proposed_at, proposal_reason,"
        " resolved_by, resolved_at, cleared_at)"
    ),
    "payments_settlementimport": APPEND,
    "payments_settlementrow": "SELECT, INSERT, UPDATE (line_id, line_amount, matched_at)",
    "payments_usedpaymenttoken": APPEND,
    "rate_limit_counter": ALL,
    "tokens_fingerprintkey": "SELECT, INSERT, UPDATE (sealed)",
    "tokens_paymenttoken": (
        "SELECT, INSERT, UPDATE (status, deleted_at, destroying_at, destroyed_at, provider_ref, consent_text,"
        " consent_at)"
    ),
    "tokens_vaultedcard": "SELECT, INSERT, UPDATE (sealed), DELETE",
    "transactions_checkpoint": APPEND,
    # Locking the deltas that are about to be consumed takes the right to update a column.
    "transactions_delta": "SELECT, INSERT, UPDATE (id), DELETE",
    "transactions_hold": KEEP,
    "transactions_idempotencykey": KEEP,
    "transactions_ledgeraccount": KEEP,
    "transactions_seal": APPEND,
    "transactions_transaction": KEEP,
    "transactions_transfer": KEEP,
    "users_loginattempts": ALL,
    "users_recoverycode": "SELECT, INSERT, UPDATE (used_at), DELETE",
    "users_refreshfamily": ALL,
    "users_secondfactor": "SELECT, INSERT, UPDATE (secret, confirmed_at, last_step), DELETE",
    "users_serviceclient": KEEP,
    "users_spentrefreshtoken": "SELECT, INSERT, DELETE",
    "users_staffsession": (
        "SELECT, INSERT, UPDATE (last_seen_at, proved_at, factor_shown_at, ended_at, ending), DELETE"
    ),
    "users_user": KEEP,
    "wallets_adjustment": "SELECT, INSERT, UPDATE (status, decided_by, decided_at, decision_reason)",
    "wallets_wallet": KEEP,
}


def grant(*, using: str, **_signal: Any) -> None:
    """Give the application's role exactly the listed privileges, where it isn't the owner itself."""
    role = settings.DATABASES["default"]["USER"]
    connection = connections[using]
    if connection.settings_dict["USER"] == role:
        return
    existing = set(connection.introspection.table_names())
    name = sql.Identifier(role)
    statements = [
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(name),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name),
        sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(name),
    ]
    statements += [
        sql.SQL("GRANT " + privileges + " ON {} TO {}").format(sql.Identifier(table), name)
        for table, privileges in PRIVILEGES.items()
        if table in existing
    ]
    # At once: the version that serves meanwhile would be refused between the first statement and the last.
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
