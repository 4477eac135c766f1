"""The guards of the book: what may never change, whoever asks.

A line or a transfer goes once from pending to a final state, and nothing else about it ever changes. An
idempotency key is answered once; its answer's bytes may be dropped later. Accounts and holds stay for ever.
The conditions stand in the triggers' WHEN, so that an allowed update costs no function call.
"""

from django.db import migrations

GUARDS = """
CREATE FUNCTION transactions_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'update of % is refused: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER guard_line BEFORE UPDATE ON transactions_transaction FOR EACH ROW
    WHEN (OLD.status <> 'pending' OR NEW.status = 'pending'
          OR (NEW.id, NEW.transfer_id, NEW.account_id, NEW.type, NEW.amount, NEW.created_at)
             IS DISTINCT FROM (OLD.id, OLD.transfer_id, OLD.account_id, OLD.type, OLD.amount, OLD.created_at))
    EXECUTE FUNCTION transactions_refuse_update('a line only goes once from pending to a final state');

CREATE TRIGGER guard_transfer BEFORE UPDATE ON transactions_transfer FOR EACH ROW
    WHEN (OLD.status <> 'pending' OR NEW.status = 'pending'
          OR (NEW.id, NEW.kind, NEW.actor, NEW.request_id, NEW.description, NEW.reference, NEW.metadata,
              NEW.payment_id, NEW.hold_id, NEW.refund_of, NEW.reverses, NEW.effective_at, NEW.created_at)
             IS DISTINCT FROM
             (OLD.id, OLD.kind, OLD.actor, OLD.request_id, OLD.description, OLD.reference, OLD.metadata,
              OLD.payment_id, OLD.hold_id, OLD.refund_of, OLD.reverses, OLD.effective_at, OLD.created_at))
    EXECUTE FUNCTION transactions_refuse_update('a transfer only goes once from pending to a final state');

CREATE TRIGGER guard_key BEFORE UPDATE ON transactions_idempotencykey FOR EACH ROW
    WHEN ((NEW.principal, NEW.key, NEW.fingerprint, NEW.created_at)
             IS DISTINCT FROM (OLD.principal, OLD.key, OLD.fingerprint, OLD.created_at)
          OR (OLD.status IS NOT NULL AND (NEW.status, NEW.resource) IS DISTINCT FROM (OLD.status, OLD.resource))
          OR (OLD.status IS NOT NULL AND NEW.body IS NOT NULL AND NEW.body IS DISTINCT FROM OLD.body))
    EXECUTE FUNCTION transactions_refuse_update('an idempotency key is answered once, for ever');

CREATE TRIGGER guard_account BEFORE UPDATE ON transactions_ledgeraccount FOR EACH ROW
    WHEN ((NEW.id, NEW.code, NEW.owner_id, NEW.currency, NEW.rolled_up, NEW.created_at)
             IS DISTINCT FROM (OLD.id, OLD.code, OLD.owner_id, OLD.currency, OLD.rolled_up, OLD.created_at)
          OR NEW.last_seq < OLD.last_seq OR NEW.version < OLD.version
          OR NEW.total_in < OLD.total_in OR NEW.total_out < OLD.total_out)
    EXECUTE FUNCTION transactions_refuse_update('an account keeps its identity and never counts backwards');

CREATE TRIGGER guard_hold BEFORE UPDATE ON transactions_hold FOR EACH ROW
    WHEN (OLD.status <> 'open' OR NEW.captured < OLD.captured
          OR (NEW.id, NEW.account_id, NEW.amount, NEW.actor, NEW.created_at)
             IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.amount, OLD.actor, OLD.created_at))
    EXECUTE FUNCTION transactions_refuse_update('a hold that is closed stays as it is');
"""

GUARDED = {
    "guard_line": "transactions_transaction",
    "guard_transfer": "transactions_transfer",
    "guard_key": "transactions_idempotencykey",
    "guard_account": "transactions_ledgeraccount",
    "guard_hold": "transactions_hold",
}

KEEP = "".join(
    f"""
CREATE TRIGGER refuse_delete BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""
    for table in GUARDED.values()
)

REVERSE = (
    "".join(
        f"""
DROP TRIGGER {guard} ON {table};
DROP TRIGGER refuse_delete ON {table};
DROP TRIGGER refuse_truncate ON {table};
"""
        for guard, table in GUARDED.items()
    )
    + "DROP FUNCTION transactions_refuse_update();"
)


class Migration(migrations.Migration):
    dependencies = [("transactions", "0001_book_of_record"), ("events", "0002_partitions_and_guards")]

    operations = [
        migrations.RunSQL(GUARDS + KEEP, REVERSE),
        # Balances are updated in place all day: room in each page keeps those updates off the indexes.
        migrations.RunSQL(
            "ALTER TABLE transactions_ledgeraccount SET (fillfactor = 60)",
            "ALTER TABLE transactions_ledgeraccount RESET (fillfactor)",
        ),
    ]
