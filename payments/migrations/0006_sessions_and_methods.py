"""Payment methods of wallets, automatic top-ups agreed to in a payment session, and a session's second attempt.

A session pays once. But when its attempt is known to have charged nothing, the advice is to send the same again:
then, and only then, another payment may take the place of the one that came to nothing.
"""

import django.db.models.deletion
import uuid_utils.compat
from django.db import migrations, models

ONE_DEFAULT = """
CREATE FUNCTION payments_require_one_default() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed uuid := COALESCE(NEW.wallet_id, OLD.wallet_id);
BEGIN
    IF EXISTS (SELECT FROM payments_savedmethod WHERE wallet_id = changed)
       AND NOT EXISTS (SELECT FROM payments_savedmethod WHERE wallet_id = changed AND is_default) THEN
        RAISE EXCEPTION 'wallet % has payment methods and no default', changed
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER require_one_default AFTER INSERT OR UPDATE OR DELETE ON payments_savedmethod
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_require_one_default();
"""
ONE_DEFAULT_REVERSE = """
DROP TRIGGER require_one_default ON payments_savedmethod;
DROP FUNCTION payments_require_one_default();
"""

SESSION_GUARD = """
CREATE FUNCTION payments_guard_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.wallet_id, NEW.user_id, NEW.scheme, NEW.amount, NEW.currency, NEW.reload_threshold,
        NEW.reload_amount, NEW.nonce, NEW.created_at, NEW.expires_at)
       IS NOT DISTINCT FROM
       (OLD.id, OLD.wallet_id, OLD.user_id, OLD.scheme, OLD.amount, OLD.currency, OLD.reload_threshold,
        OLD.reload_amount, OLD.nonce, OLD.created_at, OLD.expires_at)
       AND (OLD.status = 'open'
            OR (OLD.status = 'consumed' AND NEW.status = 'consumed'
                AND EXISTS (SELECT FROM payments_payment
                            WHERE id = OLD.payment_id AND status = 'failed' AND decline_code = ''))) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'update of % is refused: a payment session is closed once and never altered', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER guard_session ON payments_paymentsession;
CREATE TRIGGER guard_session BEFORE UPDATE ON payments_paymentsession
    FOR EACH ROW EXECUTE FUNCTION payments_guard_session();
"""
SESSION_GUARD_REVERSE = """
DROP TRIGGER guard_session ON payments_paymentsession;
DROP FUNCTION payments_guard_session();
CREATE TRIGGER guard_session BEFORE UPDATE ON payments_paymentsession FOR EACH ROW
    WHEN (OLD.status <> 'open'
          OR (NEW.id, NEW.wallet_id, NEW.user_id, NEW.scheme, NEW.amount, NEW.currency, NEW.nonce, NEW.created_at,
              NEW.expires_at)
             IS DISTINCT FROM
             (OLD.id, OLD.wallet_id, OLD.user_id, OLD.scheme, OLD.amount, OLD.currency, OLD.nonce, OLD.created_at,
              OLD.expires_at))
    EXECUTE FUNCTION payments_refuse_update('a payment session is closed once and never altered');
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0005_occasions_of_top_ups"),
        ("tokens", "0001_saved_cards"),
        ("wallets", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedMethod",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("is_default", models.BooleanField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="paymentsession",
            name="reload_amount",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="paymentsession",
            name="reload_threshold",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name="paymentsession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reload_amount__isnull", True), ("reload_threshold__isnull", True)),
                    models.Q(
                        ("reload_amount__gt", 0),
                        ("reload_amount__isnull", False),
                        ("reload_threshold__gte", 0),
                        ("reload_threshold__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="session_reload_is_whole",
            ),
        ),
        migrations.AddField(
            model_name="savedmethod",
            name="token",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="wallets", to="tokens.paymenttoken"
            ),
        ),
        migrations.AddField(
            model_name="savedmethod",
            name="wallet",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payment_methods",
                to="wallets.wallet",
            ),
        ),
        migrations.AddIndex(
            model_name="savedmethod",
            index=models.Index(fields=["wallet", "-id"], name="saved_method_by_wallet"),
        ),
        migrations.AddConstraint(
            model_name="savedmethod",
            constraint=models.UniqueConstraint(fields=("wallet", "token"), name="saved_method_once"),
        ),
        migrations.AddConstraint(
            model_name="savedmethod",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("wallet",), name="saved_method_one_default"
            ),
        ),
        migrations.RunSQL(ONE_DEFAULT, ONE_DEFAULT_REVERSE),
        migrations.RunSQL(SESSION_GUARD, SESSION_GUARD_REVERSE),
    ]
