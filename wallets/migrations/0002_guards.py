"""What may never change about a correction: what was asked for, and, once it is decided, anything at all."""

from django.db import migrations

GUARDS = """
CREATE FUNCTION wallets_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'update of % is refused: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER guard_adjustment BEFORE UPDATE ON wallets_adjustment FOR EACH ROW
    WHEN (OLD.status <> 'pending' OR NEW.status = 'pending'
          OR (NEW.id, NEW.wallet_id, NEW.amount, NEW.currency, NEW.reason, NEW.requested_by, NEW.transfer_id,
              NEW.transaction_id, NEW.request_id, NEW.created_at)
             IS DISTINCT FROM
             (OLD.id, OLD.wallet_id, OLD.amount, OLD.currency, OLD.reason, OLD.requested_by, OLD.transfer_id,
              OLD.transaction_id, OLD.request_id, OLD.created_at))
    EXECUTE FUNCTION wallets_refuse_update('an adjustment is decided on once');

CREATE TRIGGER refuse_delete BEFORE DELETE ON wallets_adjustment
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON wallets_adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""

REVERSE = """
DROP TRIGGER guard_adjustment ON wallets_adjustment;
DROP TRIGGER refuse_delete ON wallets_adjustment;
DROP TRIGGER refuse_truncate ON wallets_adjustment;
DROP FUNCTION wallets_refuse_update();
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0001_wallets"), ("events", "0002_partitions_and_guards")]

    operations = [migrations.RunSQL(GUARDS, REVERSE)]
