"""Statements: any span, in the customer's calendar and form, and always to the cent."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import pairwise
from zoneinfo import ZoneInfo

import orjson
import pytest
import time_machine
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas
from uuid_utils.compat import uuid7

from tests.factories.calls import ACTOR, ApiClient
from tests.factories.money import funding_entries, locked, new_wallet
from tests.factories.people import CustomerFactory
from transactions import chart, ledger
from transactions.models import LineType, TransferKind
from transactions.movements import Entry, Movement
from transactions.statements import account_statement, statement_lines
from wallets.statements import AskedPeriod, zone_named

pytestmark = pytest.mark.django_db

OCTOBER = datetime(2031, 10, 1, tzinfo=UTC)
LATER = datetime(2032, 1, 1, tzinfo=UTC)


def move(wallet_id, amount: int, at: datetime, **facts) -> Movement:
    """Post one line at a moment: money in when `amount` is positive, a payment otherwise."""
    with time_machine.travel(at, tick=False), transaction.atomic():
        wallet = locked(wallet_id)
        if amount > 0:
            return ledger.post(
                Movement(kind=TransferKind.FUNDING, actor=ACTOR, **facts), funding_entries(wallet, amount)
            )
        merchant = chart.merchant(currency=wallet.currency)
        return ledger.post(
            Movement(kind=TransferKind.PAYMENT, actor=ACTOR, **facts),
            [Entry(wallet, amount, LineType.PAYMENT), Entry(merchant, -amount, LineType.PAYMENT)],
        )


def wallet_of(owner, *movements: tuple[int, datetime], currency: str = "USD"):
    """Open a wallet and move money through it."""
    wallet_id = new_wallet(owner=owner, currency=currency)
    for amount, at in movements:
        move(wallet_id, amount, at)
    return wallet_id


def statement(owner, wallet_id, query: str, *, at: datetime = LATER):
    """Ask for a statement as its customer, at a moment when its span is over."""
    with time_machine.travel(at, tick=False):
        response = ApiClient(owner).get(f"/wallet/{wallet_id}/statement?{query}")
        return response, b"".join(response) if response.streaming else response.content


def refused(owner, wallet_id, query: str, *, at: datetime = LATER) -> tuple[int, str, str]:
    """Ask for what is refused; give status, code and the field at fault."""
    response, _ = statement(owner, wallet_id, query, at=at)
    problem = response.json()
    return response.status_code, problem["code"], problem["errors"][0]["field"]


def test_when_a_month_is_asked_for_then_it_opens_lists_and_closes():
    owner = CustomerFactory.create()
    wallet_id = wallet_of(
        owner,
        (10_000, OCTOBER - timedelta(microseconds=1)),
        (-2_500, OCTOBER),
        (700, datetime(2031, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        (-100, datetime(2031, 11, 1, tzinfo=UTC)),
    )

    response, content = statement(owner, wallet_id, "month=2031-10")

    assert (response.status_code, response["Content-Type"], response["Cache-Control"]) == (
        200,
        "application/json",
        "no-store",
    )
    body = orjson.loads(content)
    lines = body.pop("lines")
    assert body == {
        "wallet_id": str(wallet_id),
        "currency": "USD",
        "from": "2031-10-01T00:00:00Z",
        "to": "2031-11-01T00:00:00Z",
        "time_zone": "UTC",
        "opening_balance": 10_000,
        "closing_balance": 8_200,
        "total_in": 700,
        "total_out": 2_500,
    }
    assert [(line["seq"], line["type"], line["amount"], line["balance_after"]) for line in lines] == [
        (2, "payment", -2_500, 7_500),
        (3, "funding", 700, 8_200),
    ]


def test_when_a_line_is_on_a_statement_then_it_is_shown_as_everywhere():
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner, (10_000, OCTOBER))

    _, content = statement(owner, wallet_id, "month=2031-10")

    line = orjson.loads(content)["lines"][0]
    assert line == ApiClient(owner).get(f"/transactions/{line['id']}").json()


@pytest.mark.parametrize(
    ("zone", "starts", "ends"),
    [
        ("Europe/Berlin", "2031-09-30T22:00:00Z", "2031-10-31T23:00:00Z"),
        ("America/New_York", "2031-10-01T04:00:00Z", "2031-11-01T04:00:00Z"),
        ("Asia/Kolkata", "2031-09-30T18:30:00Z", "2031-10-31T18:30:00Z"),
        ("Nowhere/Else", "2031-10-01T00:00:00Z", "2031-11-01T00:00:00Z"),
    ],
)
def test_when_a_customer_lives_elsewhere_then_the_month_is_that_of_their_calendar(zone, starts, ends):
    owner = CustomerFactory.create(time_zone=zone)
    wallet_id = wallet_of(owner, (1, datetime.fromisoformat(starts)), (2, datetime.fromisoformat(ends)))

    _, content = statement(owner, wallet_id, "month=2031-10")

    body = orjson.loads(content)
    assert (body["from"], body["to"], len(body["lines"])) == (starts, ends, 1)
    assert body["time_zone"] == ("UTC" if zone == "Nowhere/Else" else zone)


def test_when_midnight_does_not_exist_then_the_day_begins_when_it_does():
    # In Beirut the clocks went from 0:00 to 1:00.
    period = AskedPeriod(starts=date(2022, 3, 27), ends=date(2022, 3, 27)).within(ZoneInfo("Asia/Beirut"))

    assert (period.starts, period.ends) == (
        datetime(2022, 3, 26, 22, tzinfo=UTC),
        datetime(2022, 3, 27, 21, tzinfo=UTC),
    )


def test_when_days_are_asked_for_then_the_last_one_is_wholly_in():
    owner = CustomerFactory.create(time_zone="Europe/Berlin")
    wallet_id = wallet_of(owner, (1, datetime(2031, 10, 3, 21, 59, tzinfo=UTC)))

    _, content = statement(owner, wallet_id, "from=2031-10-02&to=2031-10-03")

    body = orjson.loads(content)
    assert (body["from"], body["to"]) == ("2031-10-01T22:00:00Z", "2031-10-03T22:00:00Z")
    assert [line["amount"] for line in body["lines"]] == [1]


def test_when_moments_are_asked_for_then_the_last_one_is_not_in():
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner, (1, OCTOBER), (2, OCTOBER + timedelta(hours=1)))

    _, content = statement(owner, wallet_id, "from=2031-10-01T00:00:00Z&to=2031-10-01T03:00:00%2B02:00")

    body = orjson.loads(content)
    assert (body["from"], body["to"]) == ("2031-10-01T00:00:00Z", "2031-10-01T01:00:00Z")
    assert [line["amount"] for line in body["lines"]] == [1]


def test_when_nothing_happened_then_it_closes_as_it_opened():
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner, (700, OCTOBER - timedelta(days=40)))

    _, content = statement(owner, wallet_id, "month=2031-10")

    body = orjson.loads(content)
    assert (body["opening_balance"], body["closing_balance"], body["lines"]) == (700, 700, [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "month"),
        ("month=2031-13", "month"),
        ("month=2031-1", "month"),
        ("month=october", "month"),
        ("month=1999-12", "month"),
        ("month=0000-01", "month"),
        ("month=2032-02", "month"),
        ("month=2031-10&from=2031-10-01&to=2031-10-02", "month"),
        ("month=2031-10&from=2031-10-01", "month"),
        ("from=2031-10-01", "to"),
        ("to=2031-10-01", "from"),
        ("from=2031-10-02&to=2031-10-01", "to"),
        ("from=2031-10-02T00:00:00Z&to=2031-10-02T00:00:00Z", "to"),
        ("from=2032-01-02&to=2032-01-03", "from"),
        ("from=2031-02-30&to=2031-10-01", "from"),
        ("from=2031-10-01T00:00:00&to=2031-10-02", "from"),
        ("from=2031-10-01&to=yesterday", "to"),
        ("from=0001-01-01&to=2031-10-01", "from"),
        ("from=2031-10-01&to=9999-12-31", "to"),
        ("month=2031-10&format=xls", "format"),
    ],
)
def test_when_the_span_or_form_makes_no_sense_then_400_names_the_field(query, field):
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner)

    assert refused(owner, wallet_id, query) == (400, "validation_error", field)


def test_when_the_parameter_is_unknown_then_it_is_named():
    owner = CustomerFactory.create()

    assert refused(owner, wallet_of(owner), "month=2031-10&until=x") == (400, "unknown_parameter", "until")


def test_when_the_wallet_is_somebody_else_s_then_it_is_not_there():
    wallet_id = wallet_of(CustomerFactory.create(), (1, OCTOBER))
    stranger = CustomerFactory.create()

    theirs, there = statement(stranger, wallet_id, "month=2031-10")
    nobodys, gone = statement(stranger, uuid7(), "month=2031-10")

    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert there != b""
    assert gone != b""


def test_when_a_csv_is_asked_for_then_it_adds_up_in_major_units():
    owner = CustomerFactory.create(time_zone="Europe/Berlin")
    wallet_id = wallet_of(owner, (10_000, OCTOBER - timedelta(days=1)))
    paid = move(wallet_id, -1_250, OCTOBER, description="Tea, green", reference='order "7"')

    response, content = statement(owner, wallet_id, "month=2031-10&format=csv")

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="statement-2031-10-USD.csv"'
    assert response["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(StringIO(content.decode())))
    assert rows == [
        {
            **dict.fromkeys(rows[0], ""),
            "completed_at": "2031-10-01T00:00:00+02:00",
            "type": "opening_balance",
            "currency": "USD",
            "balance_after": "100.00",
        },
        {
            "completed_at": "2031-10-01T02:00:00+02:00",
            "type": "payment",
            "description": "Tea, green",
            "reference": 'order "7"',
            "amount": "-12.50",
            "currency": "USD",
            "balance_after": "87.50",
            "transaction_id": str(paid.line_of(wallet_id).id),
            "transfer_id": str(paid.id),
        },
        {
            **dict.fromkeys(rows[0], ""),
            "completed_at": "2031-11-01T00:00:00+01:00",
            "type": "closing_balance",
            "currency": "USD",
            "balance_after": "87.50",
        },
    ]


@pytest.mark.parametrize(
    "typed",
    ["=1+1", "+49", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＋1", "－1", "＠1"],
)
def test_when_text_would_start_a_formula_then_it_stays_text(typed):
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner)
    move(wallet_id, 500, OCTOBER, description=typed, reference=typed)

    _, content = statement(owner, wallet_id, "month=2031-10&format=csv")

    line = list(csv.DictReader(StringIO(content.decode(), newline="")))[1]
    assert (line["description"], line["reference"], line["amount"]) == (f"'{typed}", f"'{typed}", "5.00")


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "1234"), ("KWD", "1.234"), ("UYW", "0.1234")])
def test_when_the_currency_has_other_digits_then_the_csv_has_them(currency, shown):
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner, (1_234, OCTOBER), currency=currency)

    _, content = statement(owner, wallet_id, "month=2031-10&format=csv")

    rows = list(csv.DictReader(StringIO(content.decode())))
    assert [row["balance_after"] for row in rows][1:] == [shown, shown]


amounts = st.integers(min_value=-5_000, max_value=5_000).filter(bool)
moments = st.integers(min_value=0, max_value=40)


@given(
    wished=st.lists(st.tuples(amounts, st.integers(0, 3)), max_size=25),
    edges=st.lists(moments, min_size=2, max_size=6, unique=True),
)
def test_whatever_the_span_then_the_statement_adds_up_and_spans_meet(wished, edges):
    with transaction.atomic():
        wallet_id = new_wallet()
        at, balance = OCTOBER, 0
        for amount, pause_s in wished:
            at += timedelta(seconds=pause_s)
            moved = amount if balance + amount >= 0 else -amount
            balance += moved
            move(wallet_id, moved, at)

        cuts = [OCTOBER + timedelta(seconds=second) for second in sorted(edges)]
        spans = [account_statement(wallet_id, starts=a, ends=b) for a, b in pairwise(cuts)]
        lines = [list(statement_lines(span)) for span in spans]
        whole = account_statement(wallet_id, starts=OCTOBER - timedelta(days=1), ends=LATER)
        transaction.set_rollback(True)

    for span, its_lines in zip(spans, lines, strict=True):
        assert span.opening_balance + sum(line.amount for line in its_lines) == span.closing_balance
        assert span.opening_balance + span.total_in - span.total_out == span.closing_balance
        assert len(its_lines) == span.line_count
        assert all(span.starts <= line.completed_at < span.ends for line in its_lines)
    for earlier, later in pairwise(spans):
        assert (earlier.closing_balance, earlier.last_seq + 1) == (later.opening_balance, later.first_seq)
    assert (whole.opening_balance, whole.closing_balance, whole.line_count) == (0, balance, len(wished))


def test_when_the_statement_is_longer_than_one_read_then_no_line_is_lost(monkeypatch):
    monkeypatch.setattr("transactions.statements.LINES_AT_ONCE", 3)
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner, *((1, OCTOBER) for _ in range(10)))

    response, content = statement(owner, wallet_id, "month=2031-10&format=csv")

    rows = list(csv.DictReader(StringIO(content.decode())))
    assert response.status_code == 200
    assert [Decimal(row["balance_after"]) for row in rows] == [
        Decimal(n).scaleb(-2) for n in (*range(11), 10)
    ]


def test_when_a_pdf_would_be_endless_then_400_names_the_format(monkeypatch):
    monkeypatch.setattr("wallets.api.statements.MOST_PDF_LINES", 2)
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner, *((1, OCTOBER) for _ in range(3)))

    assert refused(owner, wallet_id, "month=2031-10&format=pdf") == (400, "validation_error", "format")


def test_when_a_pdf_is_asked_for_then_it_is_a_file_of_that_name():
    owner = CustomerFactory.create(locale="de-DE", name="Zoë Łukasiewicz")
    wallet_id = wallet_of(owner, (123_456_789, OCTOBER), (-50_000, OCTOBER + timedelta(hours=1)))
    move(wallet_id, -1_250, OCTOBER + timedelta(days=2), description="Grüner Tee für Σωκράτης и Анна")

    response, content = statement(owner, wallet_id, "from=2031-10-01&to=2031-10-15&format=pdf")

    assert response["Content-Type"] == "application/pdf"
    assert (
        response["Content-Disposition"] == 'attachment; filename="statement-2031-10-01-to-2031-10-15-USD.pdf"'
    )
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")


def drawn(monkeypatch, owner, wallet_id, query: str) -> list[list[str]]:
    """Ask for a PDF, and give the texts of each of its pages."""
    pages: list[list[str]] = [[]]
    show_page = Canvas.showPage

    def written(self, _x, _y, text, *_rest, **_options):
        pages[-1].append(text)

    def turned(self):
        pages.append([])
        show_page(self)

    monkeypatch.setattr(Canvas, "drawString", written)
    monkeypatch.setattr(Canvas, "drawRightString", written)
    monkeypatch.setattr(Canvas, "showPage", turned)
    response, _ = statement(owner, wallet_id, f"{query}&format=pdf")
    assert response.status_code == 200
    return pages[:-1]


@pytest.mark.parametrize(
    ("locale", "month", "opening", "amount"),
    [
        ("en", "October 2031", "1,234,567.89", "−12.50"),
        ("de-DE", "Oktober 2031", "1.234.567,89", "−12,50"),
        ("en-IN", "October 2031", "12,34,567.89", "−12.50"),
        ("fr", "octobre 2031", "1\u202f234\u202f567,89", "−12,50"),
        ("xx-nowhere", "October 2031", "1,234,567.89", "−12.50"),
    ],
)
def test_when_the_locale_is_another_then_the_pdf_speaks_its_numbers(
    monkeypatch, locale, month, opening, amount
):
    owner = CustomerFactory.create(
        locale=locale, name="Zoë", email="zoe@customers.example", time_zone="Europe/Berlin"
    )
    wallet_id = wallet_of(owner, (123_456_789, OCTOBER - timedelta(days=1)), (-1_250, OCTOBER))

    (page,) = drawn(monkeypatch, owner, wallet_id, "month=2031-10")

    for text in (month, opening, amount, "Zoë", owner.email, str(wallet_id), "02:00:00", "Page 1 of 1"):
        assert text in page


def test_when_the_pdf_has_many_lines_then_every_page_has_its_number_and_none_is_lost(monkeypatch):
    owner = CustomerFactory.create()
    wallet_id = wallet_of(owner, *((100, OCTOBER) for _ in range(60)))

    pages = drawn(monkeypatch, owner, wallet_id, "month=2031-10")

    assert [page[-1] for page in pages] == [f"Page {n} of {len(pages)}" for n in range(1, len(pages) + 1)]
    texts = [text for page in pages for text in page]
    assert texts.count("+1.00") == 60
    assert [text for text in texts if text == "60.00"] == ["60.00"] * 4  # in, closing, last line, last row


@pytest.mark.parametrize("name", ["", "../etc/passwd", "Mars/Olympus", "\x00", "a" * 64])
def test_when_a_zone_is_unknown_then_utc_stands_in(name):
    assert zone_named(name).key == "UTC"
