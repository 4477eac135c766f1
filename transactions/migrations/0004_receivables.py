"""What customers owe: a column, and a trigger by which all that comes in pays the debt first.

The trigger's condition is looked at with every change of an account, its body runs for debtors alone.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

PAY_DEBT_FIRST = """
CREATE FUNCTION transactions_pay_debt_first() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paid bigint := least(OLD.receivable, (NEW.balance - NEW.held) - (OLD.balance - OLD.held));
BEGIN
    NEW.receivable := OLD.receivable - paid;
    NEW.floor := NEW.floor + paid;
    RETURN NEW;
END $$;

CREATE TRIGGER pay_debt_first BEFORE UPDATE ON transactions_ledgeraccount FOR EACH ROW
    WHEN (OLD.receivable > 0 AND NEW.receivable = OLD.receivable
          AND NEW.balance - NEW.held > OLD.balance - OLD.held)
    EXECUTE FUNCTION transactions_pay_debt_first();
"""

REVERSE = """
DROP TRIGGER pay_debt_first ON transactions_ledgeraccount;
DROP FUNCTION transactions_pay_debt_first();
"""


class Migration(migrations.Migration):
    dependencies = [("transactions", "0003_seals")]

    operations = [
        migrations.AddField(
            model_name="ledgeraccount",
            name="receivable",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        AddConstraintNotValid(
            model_name="ledgeraccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("receivable", 0),
                    models.Q(
                        (
                            "floor__lte",
                            models.expressions.CombinedExpression(
                                models.F("receivable"), "*", models.Value(-1)
                            ),
                        ),
                        ("receivable__gt", 0),
                    ),
                    _connector="OR",
                ),
                name="account_floor_covers_receivable",
            ),
        ),
        migrations.RunSQL(PAY_DEBT_FIRST, REVERSE),
    ]
