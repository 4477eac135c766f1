"""Settlement reports: each row finds its line, what doesn't agree is a break, and the sums agree to the cent."""

from datetime import UTC, datetime, time
from uuid import UUID

import pytest
from django.db import transaction

from payments.models import (
    Payment,
    PaymentKind,
    PaymentMethod,
    ReportFormat,
    SettlementBreak,
    SettlementImport,
    SettlementRow,
)
from payments.processors.contract import Declined, DisputeStage, RetryClass
from payments.refund_execution import settle_refund
from payments.settlement_imports import import_report
from payments.settlement_matching import covered_spans
from payments.topups import open_payment, settle_payment
from tests.factories.calls import keyed
from tests.factories.holds import staff
from tests.factories.money import locked, new_wallet
from tests.payments.reports import (
    STRIPE_HEADER,
    YESTERDAY,
    breaks_of,
    charge_row,
    charged,
    csv_of,
    disputed,
    file_of,
    imported,
    matched,
    proof,
    propose,
    refunded,
    resolve,
    row,
    steps_of,
    today,
    unused_currency,
)
from transactions.money import Money

pytestmark = pytest.mark.django_db


@pytest.fixture
def currency() -> str:
    """One whose books hold what this test does, and nothing else."""
    return unused_currency()


@pytest.fixture
def wallet_id(currency: str) -> UUID:
    return new_wallet(currency=currency)


def test_when_a_report_tells_what_the_book_says_then_every_row_is_matched_and_nothing_is_left(
    wallet_id, currency
):
    payment, other = charged(wallet_id, 2500), charged(wallet_id, 1000)
    refund = refunded(payment, 400)
    dispute = disputed(other, withdrawn=1000)
    disputed(other, withdrawn=0, stage=DisputeStage.WON)

    report = imported(
        charge_row(payment, fee=75),
        charge_row(other, fee=30),
        row("r1", "refund", -400, reference=refund.processor_reference, currency=currency),
        row("d1", "dispute", -1000, fee=1500, reference=dispute, currency=currency),
        row("d2", "dispute_reversal", 1000, reference=dispute, currency=currency),
        row("f1", "fee", -200, currency=currency),
        row("p1", "payout", -900, currency=currency, payout="po_1"),
        currency=currency,
    )

    assert breaks_of(report) == []
    assert matched(report) == {
        f"txn_{payment.id}": 2500,
        f"txn_{other.id}": 1000,
        "r1": -400,
        "d1": -1000,
        "d2": 1000,
        "f1": None,
        "p1": None,
    }
    found = proof(currency=currency)
    assert (found.ledger, found.expected, found.reported, found.difference) == (3100, 3100, 3100, 0)
    assert (found.open_breaks, found.open_amount, found.unproved, found.not_covered) == (0, 0, 0, 0)
    assert (found.fees, found.payouts) == (75 + 30 + 1500 + 200, 900)
    assert found.remaining == 3100 - 1805 - 900


def test_when_a_refund_came_back_from_the_bank_then_its_return_has_a_row_of_its_own(wallet_id, currency):
    payment = charged(wallet_id, 2500)
    refund = refunded(payment, 400)
    settle_refund(refund_id=refund.id, outcome=Declined("expired_or_canceled_card", RetryClass.NEVER))

    report = imported(
        charge_row(payment),
        row("r1", "refund", -400, reference=refund.processor_reference, currency=currency),
        row("r2", "refund_failure", 400, reference=refund.processor_reference, currency=currency),
        currency=currency,
    )

    assert (breaks_of(report), matched(report)["r1"], matched(report)["r2"]) == ([], -400, 400)


def test_when_a_row_names_our_key_instead_of_its_own_id_then_it_finds_the_charge_as_well(wallet_id, currency):
    payment = charged(wallet_id, 2500)

    report = imported(
        row("t1", "charge", 2500, reference=payment.processor_key, currency=currency), currency=currency
    )

    assert (matched(report), breaks_of(report)) == ({"t1": 2500}, [])


def test_when_things_do_not_agree_then_each_is_a_break_of_its_kind_and_they_sum_to_the_difference(
    wallet_id, currency
):
    told_wrong, told_twice, untold = (charged(wallet_id, amount) for amount in (2500, 700, 300))

    report = imported(
        charge_row(told_wrong, gross=2400),
        charge_row(told_twice),
        charge_row(told_twice, row_id="again"),
        row("nowhere", "charge", 55, reference="pi_of_somebody_else", currency=currency),
        row("odd", "reserved_funds", -11, currency=currency),
        currency=currency,
    )

    assert sorted(breaks_of(report)) == [
        ("amount_differs", 2500, 2400, "open"),
        ("duplicated", 0, 700, "open"),
        ("missing_here", 0, 55, "open"),
        ("missing_there", 300, 0, "open"),
        ("unknown_type", 0, -11, "open"),
    ]
    found = proof(currency=currency)
    assert (found.expected, found.reported) == (3500, 2400 + 700 + 700 + 55 - 11)
    assert found.difference == 100 - 700 - 55 + 300 + 11 == found.open_amount
    assert (found.open_breaks, found.unproved) == (5, 0)
    untold_break = SettlementBreak.objects.get(report=report, kind="missing_there")
    assert untold_break.line_id is not None
    assert steps_of(untold_break) == [("settlement_break.opened", "open", "")]
    assert untold.transfer_id is not None


def test_when_a_charge_failed_here_then_its_row_is_missing_here(wallet_id, currency):
    with transaction.atomic():
        payment = open_payment(
            wallet=locked(wallet_id),
            amount=Money(900, currency),
            token=None,
            kind=PaymentKind.FUNDING,
            method=PaymentMethod.CARD,
            actor="user:tester",
        )
    declined = Declined("generic_decline", RetryClass.LATER, reference=f"pi_{payment.id}")
    settle_payment(payment_id=payment.id, outcome=declined, actor="user:tester")

    report = imported(charge_row(Payment.objects.get(id=payment.id)), currency=currency)

    assert breaks_of(report) == [("missing_here", 0, 900, "open")]


def test_when_the_other_half_comes_later_then_the_breaks_count_no_more(wallet_id, currency):
    payment = charged(wallet_id, 2500)
    lost, resolved = imported(currency=currency), charged(wallet_id, 80)
    second = imported(row("late", "charge", 60, reference="pi_late", currency=currency), currency=currency)
    for report in (lost, second):
        assert [found[0] for found in breaks_of(report) if found[1] != 80] in (
            ["missing_there"],
            ["missing_here"],
        )
    eighty = SettlementBreak.objects.get(report=second, kind="missing_there")
    propose(eighty, by=(first := staff("finance")))
    resolve(eighty)
    late = charged(wallet_id, 60)
    Payment.objects.filter(id=late.id).update(processor_reference="pi_late")

    imported(charge_row(payment), charge_row(resolved), currency=currency)

    assert breaks_of(lost) == [("missing_there", 2500, 0, "cleared")]
    assert sorted(breaks_of(second)) == [
        ("missing_here", 0, 60, "cleared"),
        ("missing_there", 80, 0, "resolved"),
    ]
    assert SettlementBreak.objects.filter(currency=currency, cleared_at=None).count() == 0
    found = proof(currency=currency)
    assert (found.difference, found.open_amount, found.resolved_amount, found.unproved) == (0, 0, 0, 0)
    assert first.id is not None


def test_when_a_file_is_imported_twice_then_it_has_one_effect_whatever_the_key(wallet_id, currency):
    payment = charged(wallet_id, 2500)
    file = file_of(charge_row(payment), currency=currency)
    person = staff("finance")
    first = import_report(file=file, principal=person, call=keyed("one", principal=person.name))

    again = import_report(file=file, principal=person, call=keyed("one", principal=person.name))
    with_another_key = import_report(file=file, principal=person, call=keyed("two", principal=person.name))

    assert first.body == again.body == with_another_key.body
    assert again.replayed
    assert SettlementImport.objects.filter(currency=currency).count() == 1
    assert SettlementRow.objects.filter(currency=currency).count() == 1


def test_when_reports_overlap_then_a_row_counts_once_and_changed_words_are_a_break(wallet_id, currency):
    payment, other = charged(wallet_id, 2500), charged(wallet_id, 100)
    first = imported(charge_row(payment), charge_row(other), currency=currency)

    second = imported(charge_row(payment), charge_row(other, gross=90), currency=currency)

    assert (first.rows, first.repeated, second.rows, second.repeated) == (2, 0, 1, 1)
    assert breaks_of(second) == [("duplicated", 0, 90, "open")]
    found = proof(currency=currency)
    assert (found.difference, found.open_amount, found.unproved) == (-90, -90, 0)


def test_when_no_report_covers_a_day_then_its_money_is_not_missed_but_said_to_be_uncovered(
    wallet_id, currency
):
    charged(wallet_id, 2500)

    report = imported(currency=currency, first_day=today() - YESTERDAY, last_day=today() - YESTERDAY)

    assert breaks_of(report) == []
    found = proof(currency=currency)
    assert (found.ledger, found.expected, found.not_covered, found.unproved) == (2500, 0, 2500, 0)


def test_when_reports_follow_each_other_then_they_cover_one_span_and_a_gap_makes_two(wallet_id, currency):
    charged(wallet_id, 2500)
    midnight = datetime.combine(today(), time(), UTC)
    for days_ago in (4, 1):
        day = today() - days_ago * YESTERDAY
        imported(currency=currency, first_day=day, last_day=day)

    report = imported(currency=currency)

    assert covered_spans("sandbox", currency) == [
        (midnight - 4 * YESTERDAY, midnight - 3 * YESTERDAY),
        (midnight - YESTERDAY, report.covers_until),
    ]
    assert report.covers_until < midnight + YESTERDAY
    assert breaks_of(report) == [("missing_there", 2500, 0, "open")]


def test_when_stripe_reports_then_its_columns_and_categories_are_understood(wallet_id, currency):
    payment = charged(wallet_id, 123456)
    refund = refunded(payment, 456)
    low = currency.lower()
    at = f"{today()} 09:30:00"
    content = csv_of(
        f'txn_1,{at},{low},1234.56,36.20,1198.36,charge,ch_1,"a ""lamp"", two",{payment.processor_reference},po_1',
        f"txn_2,{at},{low},-4.56,0.00,-4.56,refund,{refund.processor_reference},,{payment.processor_reference},po_1",
        f"txn_3,{at},{low},-1.00,0,-1.00,network_cost,,,,",
        f"txn_4,{at},{low},-0.50,0,-0.50,risk_reserved_funds,,,,",
        header=STRIPE_HEADER,
    )

    report = imported(content=b"\xef\xbb\xbf" + content, format=ReportFormat.STRIPE, currency=currency)

    assert matched(report) == {"txn_1": 123456, "txn_2": -456, "txn_3": None, "txn_4": None}
    assert breaks_of(report) == [("unknown_type", 0, -50, "open")]
    told = SettlementRow.objects.get(report=report, row_reference="txn_1")
    assert (told.fee, told.net, told.payout_reference, told.type) == (3620, 119836, "po_1", "charge")
    assert told.occurred_at.isoformat() == f"{today()}T09:30:00+00:00"
