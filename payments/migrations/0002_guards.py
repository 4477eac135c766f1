"""The guards of what was charged: the proof that each credit has its charge may not be edited away.

A payment keeps what it is about; once it has ended it is never under way again, and a success never turns into
a failure. A refund that has ended badly stays so; one that succeeded may still fail at the bank. Neither they
nor the sandbox provider's books are ever deleted.
"""

from django.db import migrations

GUARDS = """
CREATE FUNCTION payments_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'update of % is refused: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER guard_payment BEFORE UPDATE ON payments_payment FOR EACH ROW
    WHEN ((NEW.id, NEW.wallet_id, NEW.user_id, NEW.kind, NEW.method, NEW.amount, NEW.currency, NEW.processor,
           NEW.processor_key, NEW.actor, NEW.created_at)
             IS DISTINCT FROM
          (OLD.id, OLD.wallet_id, OLD.user_id, OLD.kind, OLD.method, OLD.amount, OLD.currency, OLD.processor,
           OLD.processor_key, OLD.actor, OLD.created_at)
          OR (OLD.status NOT IN ('pending', 'requires_action') AND NEW.status IN ('pending', 'requires_action'))
          OR (OLD.status NOT IN ('pending', 'requires_action', 'failed') AND NEW.status = 'failed')
          OR (OLD.status <> 'failed'
              AND (NEW.transaction_id, NEW.transfer_id) IS DISTINCT FROM (OLD.transaction_id, OLD.transfer_id)))
    EXECUTE FUNCTION payments_refuse_update('a payment keeps what it is about and ends once');

CREATE TRIGGER guard_refund BEFORE UPDATE ON payments_refund FOR EACH ROW
    WHEN ((NEW.id, NEW.wallet_id, NEW.payment_id, NEW.transaction_id, NEW.amount, NEW.currency, NEW.reason,
           NEW.requested_by, NEW.processor_key, NEW.created_at)
             IS DISTINCT FROM
          (OLD.id, OLD.wallet_id, OLD.payment_id, OLD.transaction_id, OLD.amount, OLD.currency, OLD.reason,
           OLD.requested_by, OLD.processor_key, OLD.created_at)
          OR (OLD.status IN ('rejected', 'cancelled', 'failed') AND NEW.status <> OLD.status)
          OR (OLD.status = 'completed' AND NEW.status NOT IN ('completed', 'failed'))
          OR (OLD.decided_at IS NOT NULL
              AND (NEW.decided_by, NEW.decided_at) IS DISTINCT FROM (OLD.decided_by, OLD.decided_at)))
    EXECUTE FUNCTION payments_refuse_update('a refund keeps what it is about, is decided once and ends once');

CREATE TRIGGER guard_session BEFORE UPDATE ON payments_paymentsession FOR EACH ROW
    WHEN (OLD.status <> 'open'
          OR (NEW.id, NEW.wallet_id, NEW.user_id, NEW.scheme, NEW.amount, NEW.currency, NEW.nonce, NEW.created_at,
              NEW.expires_at)
             IS DISTINCT FROM
             (OLD.id, OLD.wallet_id, OLD.user_id, OLD.scheme, OLD.amount, OLD.currency, OLD.nonce, OLD.created_at,
              OLD.expires_at))
    EXECUTE FUNCTION payments_refuse_update('a payment session is closed once and never altered');
"""

GUARDED = {
    "guard_payment": "payments_payment",
    "guard_refund": "payments_refund",
    "guard_session": "payments_paymentsession",
}
KEPT = ("payments_payment", "payments_refund", "payments_sandboxcharge", "payments_sandboxrefund")

KEEP = "".join(
    f"""
CREATE TRIGGER refuse_delete BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""
    for table in KEPT
)

REVERSE = (
    "".join(f"DROP TRIGGER {guard} ON {table};\n" for guard, table in GUARDED.items())
    + "".join(
        f"DROP TRIGGER refuse_delete ON {table};\nDROP TRIGGER refuse_truncate ON {table};\n"
        for table in KEPT
    )
    + "DROP FUNCTION payments_refuse_update();"
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_payments"), ("events", "0002_partitions_and_guards")]

    operations = [migrations.RunSQL(GUARDS + KEEP, REVERSE)]
