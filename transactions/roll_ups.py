"""System accounts, summed up behind their lines.

A deposit appends its lines and a delta and waits for nobody; this consumes the deltas. Ids commit out of order,
so that no watermark could tell which deltas are in: `DELETE … RETURNING` takes exactly those that it sees.
Proof: an account's balance plus its deltas is the sum of its lines.
"""

from transactions.prepared import run


def roll_up(*, limit: int = 10_000) -> int:
    """Add at most `limit` deltas to the balances of their accounts, in one statement; tell how many."""
    rows = run(
        "WITH taken AS (DELETE FROM transactions_delta WHERE id IN"
        "   (SELECT id FROM transactions_delta ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)"
        "   RETURNING account_id, amount),"
        " sums AS (SELECT account_id, sum(amount) AS amount, sum(greatest(amount, 0)) AS came_in,"
        "   sum(-least(amount, 0)) AS went_out, count(*) AS deltas FROM taken GROUP BY account_id),"
        # Two roll-ups at once take these rows in the same order.
        " locked AS (SELECT a.id FROM transactions_ledgeraccount AS a JOIN sums ON sums.account_id = a.id"
        "   ORDER BY a.id FOR UPDATE OF a),"
        " added AS (UPDATE transactions_ledgeraccount AS a SET balance = a.balance + sums.amount,"
        "   total_in = a.total_in + sums.came_in, total_out = a.total_out + sums.went_out,"
        "   version = a.version + 1"
        "   FROM sums JOIN locked ON locked.id = sums.account_id WHERE a.id = sums.account_id RETURNING 1)"
        " SELECT coalesce((SELECT sum(deltas) FROM sums), 0),"
        "   (SELECT count(*) FROM sums) - (SELECT count(*) FROM added)",
        (limit,),
    )
    taken, lost = rows[0]
    if lost:
        raise AssertionError(f"{lost} system accounts have deltas but no row")
    return int(taken)
