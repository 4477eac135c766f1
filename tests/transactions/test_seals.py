"""Seals: what has been sealed can't be changed, added to or taken away without being named."""

import base64
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, transaction
from uuid_utils.compat import uuid7

from events import audit
from events.models import AuditEntry
from tests.factories.calls import ACTOR
from tests.factories.money import fund, funding_entries, locked, new_wallet
from tests.factories.schema import fetched
from transactions import chart, ledger, seals
from transactions.models import Checkpoint, LineType, Seal, Transaction, TransferKind
from transactions.movements import Entry, Movement
from transactions.queries import load_movement
from transactions.seal_proofs import check_seals
from wallets.locks import lock_wallets


def change(statement: str, *parameters: object) -> None:
    """Change what can't be changed: as the owner, with the guards off."""
    with connection.cursor() as cursor:
        for table in ("transaction", "transfer", "checkpoint", "seal"):
            cursor.execute(f"ALTER TABLE transactions_{table} DISABLE TRIGGER USER")
        cursor.execute(statement, parameters)


def pay(wallet_id, amount: int) -> Movement:
    """Spend money from a wallet."""
    with transaction.atomic():
        wallet = locked(wallet_id)
        return ledger.post(
            Movement(kind=TransferKind.PAYMENT, actor=ACTOR, description="Tea"),
            [
                Entry(wallet, -amount, LineType.PAYMENT),
                Entry(chart.merchant(currency="USD"), amount, LineType.PAYMENT),
            ],
        )


def sealed_to(wallet_id) -> int:
    """Tell up to which number an account is sealed."""
    return max(Seal.objects.filter(account_id=wallet_id).values_list("to_seq", flat=True), default=0)


@pytest.fixture
def own_chain(as_owner) -> None:
    """A chain that begins with this test, whatever others have committed: in a transaction that is rolled back."""
    change("TRUNCATE transactions_seal, transactions_checkpoint")
    has_more = True
    while has_more:
        _, has_more = seals._seal(seals.last_link(), [], scanned_to=uuid7(), must_move=True)
    # Lines whose ids are ahead of the clock would be found by every search of this test.
    seals.seal_overlooked()


def test_when_lines_are_completed_then_each_is_sealed_once_and_the_chain_holds(own_chain):
    wallet_id = new_wallet(1_000)
    pay(wallet_id, 300)
    first = seals.seal_recent()
    nothing_new = seals.seal_recent()
    pay(wallet_id, 200)

    second = seals.seal_recent()

    assert (first, nothing_new, second) == (2, 0, 1)
    spans = Seal.objects.filter(account_id=wallet_id).order_by("to_seq").values_list("from_seq", "to_seq")
    assert list(spans) == [(1, 2), (3, 3)]
    numbers = list(Checkpoint.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert list(check_seals()) == []


def test_when_nothing_is_new_then_no_checkpoint_is_written(own_chain):
    new_wallet(1_000)
    seals.seal_recent()
    before = Checkpoint.objects.count()

    seals.seal_recent()

    assert Checkpoint.objects.count() == before


def test_when_more_is_waiting_than_fits_then_batch_after_batch_is_sealed(own_chain, monkeypatch):
    monkeypatch.setattr(seals, "LINES_AT_ONCE", 3)
    wallets = [new_wallet(1_000) for _ in range(3)]
    for wallet_id in wallets:
        for _ in range(4):
            fund(wallet_id, 1)

    lines = seals.seal_recent()

    assert lines == 15
    assert [sealed_to(wallet_id) for wallet_id in wallets] == [5, 5, 5]
    assert (
        max(Checkpoint.objects.values_list("lines", flat=True)) <= 3 or Checkpoint.objects.first().lines > 3
    )
    assert list(check_seals()) == []


@pytest.fixture
def settled_late(own_chain) -> tuple[UUID, UUID]:
    """A wallet, and its second line: settled when the search for new lines was long beyond its id."""
    wallet_id = new_wallet()
    with transaction.atomic():
        begun = ledger.reserve(
            Movement(kind=TransferKind.FUNDING, actor=ACTOR), funding_entries(locked(wallet_id), 300)
        )
    fund(wallet_id, 1)
    seals.seal_recent()
    seals._seal(seals.last_link(), [], scanned_to=uuid7(), must_move=True)
    with transaction.atomic():
        settled = ledger.settle(load_movement(begun.id), dict(lock_wallets([wallet_id])))
    assert sealed_to(wallet_id) == 1
    return wallet_id, settled.line_of(wallet_id).id


def test_when_a_line_is_settled_long_after_it_began_then_the_audit_trail_tells_of_it(settled_late, at_once):
    wallet_id, line_id = settled_late
    audit.record(
        actor=ACTOR,
        action="transaction.status_changed",
        object_type="transaction",
        object_id=line_id,
        from_state="pending",
        to_state="completed",
    )

    lines = seals.seal_recent()

    assert (lines, sealed_to(wallet_id)) == (1, 2)
    assert list(check_seals()) == []


def test_when_staff_looks_at_a_list_of_transactions_then_the_look_is_sealed_like_any_entry(
    own_chain, at_once
):
    audit.record(actor=ACTOR, action="transaction.listed", object_type="transaction", object_id="")

    seals.seal_recent()

    assert list(check_seals()) == []
    assert fetched("SELECT max(number) > 0 FROM transactions_checkpoint") == [(True,)]


def test_when_a_line_is_overlooked_then_it_is_sealed_when_all_accounts_are_looked_at(settled_late):
    wallet_id, _ = settled_late

    overlooked = (seals.seal_recent(), sealed_to(wallet_id))
    seals.seal_overlooked()

    assert (overlooked, sealed_to(wallet_id)) == ((0, 1), 2)
    assert list(check_seals()) == []


LINE = "SELECT id FROM transactions_transaction WHERE account_id = %s AND seq = 2"
TRANSFER = f"SELECT transfer_id FROM transactions_transaction WHERE id = ({LINE})"
OTHER_SIDE = f"transfer_id = ({TRANSFER}) AND seq IS NULL"


@pytest.mark.parametrize(
    "damage",
    [
        f"UPDATE transactions_transaction SET amount = amount - 1 WHERE id = ({LINE})",
        f"UPDATE transactions_transaction SET balance_after = 0 WHERE id = ({LINE})",
        f"UPDATE transactions_transaction SET type = 'fee' WHERE id = ({LINE})",
        f"UPDATE transactions_transaction SET completed_at = completed_at + interval '1 us' WHERE id = ({LINE})",
        f"UPDATE transactions_transaction SET created_at = created_at - interval '1 us' WHERE id = ({LINE})",
        f"UPDATE transactions_transaction SET amount = amount + 1 WHERE {OTHER_SIDE}",
        f"UPDATE transactions_transaction SET account_id = '{uuid7()}' WHERE {OTHER_SIDE}",
        f"DELETE FROM transactions_transaction WHERE {OTHER_SIDE}",
        (
            "INSERT INTO transactions_transaction (id, transfer_id, account_id, type, amount, status, created_at,"
            f" completed_at) SELECT '{uuid7()}', transfer_id, account_id, type, 1, status, created_at, completed_at"
            f" FROM transactions_transaction WHERE {OTHER_SIDE}"
        ),
        f"UPDATE transactions_transfer SET description = 'Coffee' WHERE id = ({TRANSFER})",
        f'UPDATE transactions_transfer SET metadata = \'{{"a": "b"}}\' WHERE id = ({TRANSFER})',
        f"UPDATE transactions_transfer SET actor = 'user:other' WHERE id = ({TRANSFER})",
        f"UPDATE transactions_transfer SET payment_id = '{uuid7()}' WHERE id = ({TRANSFER})",
        f"DELETE FROM transactions_transfer WHERE id = ({TRANSFER})",
    ],
)
def test_when_something_of_a_sealed_line_changes_then_that_line_is_named(own_chain, damage):
    wallet_id = new_wallet(1_000)
    paid = pay(wallet_id, 300)
    pay(wallet_id, 200)
    seals.seal_recent()
    assert list(check_seals()) == []

    change(damage, wallet_id)

    line_id = paid.line_of(wallet_id).id
    number = Seal.objects.get(account_id=wallet_id).checkpoint_id
    assert next(check_seals()) == (
        f"line 2 of account {wallet_id}, sealed by checkpoint {number}, was changed:"
        f" transaction {line_id}, transfer {paid.id}"
    )


def test_when_a_sealed_line_is_deleted_then_its_number_is_named(own_chain):
    wallet_id = new_wallet(1_000)
    pay(wallet_id, 300)
    seals.seal_recent()

    change(f"DELETE FROM transactions_transaction WHERE id = ({LINE})", wallet_id)

    number = Seal.objects.get(account_id=wallet_id).checkpoint_id
    assert next(check_seals()) == f"line 2 of account {wallet_id}, sealed by checkpoint {number}, is gone"


def test_when_the_account_s_currency_is_changed_then_its_lines_are_named(own_chain):
    wallet_id = new_wallet(1_000)
    seals.seal_recent()

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE transactions_ledgeraccount DISABLE TRIGGER USER")
    change("UPDATE transactions_ledgeraccount SET currency = 'KWD' WHERE id = %s", wallet_id)

    assert f"line 1 of account {wallet_id}" in next(check_seals())


@pytest.mark.parametrize(
    ("damage", "breach"),
    [
        ("UPDATE transactions_checkpoint SET lines = lines + 1 WHERE number = 2", "checkpoint 2 was changed"),
        (
            "UPDATE transactions_checkpoint SET signature = '\\x00' WHERE number = 2",
            "checkpoint 2 isn't signed by its key ",
        ),
        (
            "UPDATE transactions_checkpoint SET key_id = 'gone' WHERE number = 3",
            "checkpoint 3 was changed",
        ),
        ("DELETE FROM transactions_checkpoint WHERE number = 2", "checkpoint 2 is gone"),
        (
            "UPDATE transactions_seal SET digest = '\\x00' WHERE checkpoint_id = 2",
            "the seals of checkpoint 2 were changed",
        ),
        ("DELETE FROM transactions_seal WHERE checkpoint_id = 2", "the seals of checkpoint 2 were changed"),
        ("UPDATE transactions_checkpoint SET previous = '' WHERE number = 2", "checkpoint 2 was changed"),
    ],
)
def test_when_the_chain_itself_is_changed_then_the_checkpoint_is_named(as_owner, damage, breach):
    change("TRUNCATE transactions_seal, transactions_checkpoint")
    wallet_id = new_wallet(1_000)
    for _ in range(3):
        pay(wallet_id, 1)
        with transaction.atomic():
            seals._seal(seals.last_link(), [wallet_id], scanned_to=uuid7())
    assert list(Checkpoint.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]
    assert list(check_seals()) == []

    change(damage)

    # The name of the key is the installation's; all else is told exactly.
    told = [text.removesuffix(settings.JWT_SIGNING_KEYS[0][0]) for text in check_seals()]
    assert breach in told


def test_when_the_whole_chain_is_made_anew_without_the_key_then_the_signature_tells(own_chain, settings):
    wallet_id = new_wallet(1_000)
    seals.seal_recent()
    known = settings.JWT_SIGNING_KEYS
    change("UPDATE transactions_transfer SET description = 'forged'")
    change("TRUNCATE transactions_seal, transactions_checkpoint")

    settings.JWT_SIGNING_KEYS = ((known[0][0], b"x" * 32),)
    seals.seal_recent()
    settings.JWT_SIGNING_KEYS = known

    assert sealed_to(wallet_id) == 1
    assert "isn't signed by its key" in next(check_seals())


def test_when_the_end_of_the_chain_is_cut_off_then_a_noted_checkpoint_tells(own_chain):
    wallet_id = new_wallet(1_000)
    seals.seal_recent()
    newest = seals.last_link()
    noted = (newest.number, newest.digest.hex())
    assert list(check_seals(expected=noted)) == []

    change("DELETE FROM transactions_seal WHERE account_id = %s", wallet_id)
    change("DELETE FROM transactions_checkpoint WHERE number = %s", newest.number)

    assert list(check_seals()) == []
    assert list(check_seals(expected=noted)) == [
        f"checkpoint {newest.number}, which was noted, is gone: the chain was cut off"
    ]


def test_when_keys_rotate_then_the_new_one_vouches_for_the_whole_chain(own_chain, settings):
    wallet_id = new_wallet(1_000)
    seals.seal_recent()
    old, new = settings.JWT_SIGNING_KEYS[0], ("dev2", b"n" * 32)

    settings.JWT_SIGNING_KEYS = (new, old)
    sealed = seals.seal_recent()
    settings.JWT_SIGNING_KEYS = (new,)

    assert (sealed, seals.last_link().key_id) == (0, "dev2")
    assert list(check_seals()) == []
    assert sealed_to(wallet_id) == 1


def test_when_the_newest_checkpoint_s_key_is_unknown_then_it_is_named(own_chain, settings):
    new_wallet(1_000)
    seals.seal_recent()

    settings.JWT_SIGNING_KEYS = (("dev2", b"n" * 32),)

    newest = seals.last_link()
    assert newest.key_id != "dev2"
    assert list(check_seals()) == [
        f"checkpoint {newest.number}, the newest one, is signed by the unknown key {newest.key_id}"
    ]


def test_when_the_sealing_keys_are_derived_then_they_are_not_those_that_sign_tokens():
    seed = b"j" * 32

    derived = seals.sealing_keys((("dev1", seed),))["dev1"].private_bytes_raw()

    assert derived != seed
    assert base64.b64encode(derived) == b"cjO23/7G85E4LCwvTkngqO/mA9kbM6TwGHo1TKl/JP4="


def test_when_a_transfer_touches_no_wallet_then_it_is_named(own_chain):
    with transaction.atomic():
        moved = ledger.post(
            Movement(kind=TransferKind.FEE, actor=ACTOR),
            [
                Entry(chart.merchant(currency="USD"), -5, LineType.FEE),
                Entry(chart.fees(currency="USD"), 5, LineType.FEE),
            ],
        )

    assert list(check_seals()) == [f"transfer {moved.id} touches no wallet, so that no seal covers it"]


def note(reason: str) -> None:
    """Write an audit entry."""
    audit.record(actor=ACTOR, action="tried", object_type="thing", object_id="1", reason=reason)


def entry_of(reason: str):
    """Find it again."""
    return AuditEntry.objects.get(reason=reason)


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Audit entries are sealed although their transaction still runs: it is the test's own."""
    monkeypatch.setattr(seals, "_OLDEST_WRITER", "SELECT clock_timestamp() + make_interval(secs => %s)")


def test_when_the_audit_trail_grows_then_its_entries_are_sealed_with_the_chain(own_chain, at_once):
    reason = str(uuid7())
    seals.seal_recent()
    note(reason)

    seals.seal_recent()

    newest = seals.last_link()
    assert newest.audit_to == entry_of(reason).id
    assert len(newest.audit_marks) == 16
    assert list(check_seals()) == []


@pytest.mark.parametrize(
    ("damage", "breach"),
    [
        ("UPDATE events_auditentry SET actor = 'nobody' WHERE id = %s", "was changed or added"),
        ("UPDATE events_auditentry SET before = '{}' WHERE id = %s", "was changed or added"),
        ("DELETE FROM events_auditentry WHERE id = %s", "sealed 3 audit entries, and there are 2"),
    ],
)
def test_when_a_sealed_audit_entry_is_changed_then_it_is_named(own_chain, at_once, damage, breach):
    seals.seal_recent()
    reasons = [str(uuid7()) for _ in range(3)]
    for reason in reasons:
        note(reason)
    seals.seal_recent()
    entry_id = entry_of(reasons[1]).id
    assert list(check_seals()) == []

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_auditentry DISABLE TRIGGER USER")
    change(damage, entry_id)

    found = next(check_seals())
    assert breach in found
    if "changed" in breach:
        assert str(entry_id) in found


def test_when_somebody_may_still_write_then_entries_wait(committed):
    note(str(uuid7()))

    entries = seals._unsealed_entries(seals.NOTHING_BEFORE)

    newest = AuditEntry.objects.order_by("-id").first()
    assert newest.id not in {entry.id for entry in entries}


def test_when_another_process_seals_then_this_one_leaves_it_to_that(committed):
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [seals._ADVISORY_LOCK])
        before = Checkpoint.objects.count()

        new_wallet(1_000)

        assert seals.seal_recent() == 0
        assert Checkpoint.objects.count() == before


def test_when_the_command_is_asked_then_it_names_the_line_and_exits_with_1(own_chain):
    wallet_id = new_wallet(1_000)
    seals.seal_recent()
    newest = seals.last_link()
    told = StringIO()

    call_command("check_books", seals=True, stdout=told)
    assert "ok     seals: What was sealed is there and says what it said." in told.getvalue()
    assert f"The newest checkpoint is {newest.number}:{newest.digest.hex()}" in told.getvalue()
    change(
        "UPDATE transactions_transfer SET description = 'forged' WHERE id = (SELECT transfer_id FROM"
        " transactions_transaction WHERE account_id = %s)",
        wallet_id,
    )
    told, errors = StringIO(), StringIO()

    with pytest.raises(SystemExit, match="1"):
        call_command("check_books", seals=True, stdout=told, stderr=errors)

    assert f"line 1 of account {wallet_id}, sealed by checkpoint" in told.getvalue()
    assert errors.getvalue() == "1 invariants are broken.\n"


def test_when_one_of_a_hundred_thousand_lines_is_changed_then_it_is_found(own_chain):
    wallet_id = new_wallet(1)
    moment = datetime(2031, 1, 1, tzinfo=UTC)
    # Written as a bulk of the owner's: what counts is how many there are.
    change(
        "WITH many AS (SELECT n, gen_random_uuid() AS transfer_id FROM generate_series(2, 100000) AS n),"
        " transfers AS (INSERT INTO transactions_transfer (id, kind, status, actor, request_id, description,"
        "   reference, metadata, failure_code, effective_at, created_at, completed_at)"
        "   SELECT transfer_id, 'funding', 'completed', 'bulk', '', '', '', '{}', '', %s, %s, %s FROM many)"
        " INSERT INTO transactions_transaction (id, transfer_id, account_id, type, amount, status, seq,"
        "   balance_after, created_at, completed_at)"
        " SELECT gen_random_uuid(), transfer_id, %s, 'funding', 1, 'completed', n, n, %s, %s FROM many",
        moment,
        moment,
        moment,
        wallet_id,
        moment,
        moment,
    )
    change("UPDATE transactions_ledgeraccount SET last_seq = 100000 WHERE id = %s", wallet_id)
    # What autovacuum does to a table that has grown: without it each transfer's lines are looked for in all lines.
    change("ANALYZE transactions_transfer, transactions_transaction")
    seals.seal_overlooked()
    assert sealed_to(wallet_id) == 100_000

    change("UPDATE transactions_transaction SET amount = 2 WHERE account_id = %s AND seq = 77777", wallet_id)

    line_id = Transaction.objects.get(account_id=wallet_id, seq=77777).id
    (breach,) = check_seals()
    assert breach.startswith(f"line 77777 of account {wallet_id}, sealed by checkpoint ")
    assert str(line_id) in breach


def test_when_the_application_seals_then_its_role_may(database_environment):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import django; django.setup(); from transactions import seals;"
                " seals.seal_recent(); seals.seal_overlooked()"
            ),
        ],
        cwd=Path(__file__).resolve().parents[2],
        env=database_environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr[-500:]) == (0, done.stderr[-500:])
