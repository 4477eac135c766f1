"""Using a payment token up: the unique row that lets none be used twice, whatever the schemes say about time."""

from datetime import datetime
from uuid import UUID

from django.db import connection
from uuid_utils.compat import uuid7

from payments.models import UsedPaymentToken
from payments.refusals import PaymentTokenUsed

_CLAIM = (
    f"INSERT INTO {UsedPaymentToken._meta.db_table} (id, scheme, replay_key, used_for, used_at)"  # noqa: S608 -- the table's own name
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (scheme, replay_key) DO NOTHING"
)


def claim(*, scheme: str, replay_key: str, used_for: UUID, at: datetime) -> None:
    """Use a token up for a session (or a saved token), inside the transaction that opens the payment.

    A racer waits here until the first one has committed or given up. The token is free again when the
    transaction is rolled back, and only then. Refuses with PaymentTokenUsed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [uuid7(), scheme, replay_key, used_for, at])
        if cursor.rowcount != 1:
            raise PaymentTokenUsed
