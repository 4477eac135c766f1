"""The files of settlement reports: read exactly as they stand, or refused by line, and nothing moves."""

import pytest

from tests.factories.books import nothing_moves
from tests.payments.reports import (
    YESTERDAY,
    brought,
    csv_of,
    today,
)
from transactions.refusals import InvalidInput

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("id,kind\n", "no column 'type'"),
        ("", "no column 'id'"),
        (csv_of(header="id,type,gross,fee,net,currency,reference,created,payout_id,note"), "each once"),
        (csv_of(header="id,id,type,gross,fee,net,currency,reference,created,payout_id"), "each once"),
        (csv_of("t,charge,1.00,0,1.00,USD,x,2026-01-01T00:00:00Z"), "Line 2: 8 cells stand under 9"),
        (csv_of('t,charge,1.00,0,1.00,USD,"x,2026-01-01T00:00:00Z,'), "Line"),
        (csv_of("t,charge,1.00,0,1.00,USD,x,2026-01-01T00:00:00,"), "offset from UTC"),
        (csv_of("t,charge,1.00,0,1.00,USD,x,yesterday,"), "no moment such as"),
        (csv_of("t,charge,1.005,0,1.005,USD,x,2026-01-01T00:00:00Z,"), "not a whole number of minor units"),
        (csv_of("t,charge,1.5,0,1.5,JPY,x,2026-01-01T00:00:00Z,"), "not a whole number of minor units"),
        (csv_of('t,charge,"1,000.00",0,"1,000.00",USD,x,2026-01-01T00:00:00Z,'), "no decimal amount"),
        (csv_of("t,charge,=1+1,0,=1+1,USD,x,2026-01-01T00:00:00Z,"), "no decimal amount"),
        (csv_of("t,charge,1.00,0.10,1.00,USD,x,2026-01-01T00:00:00Z,"), "net amount is not gross less fee"),
        (csv_of("t,charge,1.00,0,1.00,XXX,x,2026-01-01T00:00:00Z,"), "no currency that a wallet may have"),
        (
            csv_of("t,charge,999999999999999,0,999999999999999,USD,x,2026-01-01T00:00:00Z,"),
            "any amount may be",
        ),
        (csv_of(",charge,1.00,0,1.00,USD,x,2026-01-01T00:00:00Z,"), "needs an id and a type"),
        (csv_of(f"t,charge,1.00,0,1.00,USD,{'x' * 256},2026-01-01T00:00:00Z,"), "longer than 255"),
        (csv_of(*["t,charge,1.00,0,1.00,USD,x,2026-01-01T00:00:00Z,"] * 2), "the id 't' twice"),
        (csv_of("t,charge,1.00,0,1.00,EUR,x,2026-01-01T00:00:00Z,"), "the currency is not USD"),
        (b"\xff\xfeid,type", "not in UTF-8"),
        (csv_of("t\0,charge,1.00,0,1.00,USD,x,2026-01-01T00:00:00Z,"), "NUL"),
        (b"x" * (6 * 1024 * 1024 + 1), "larger than 6 MB"),
        (
            csv_of(*[f"{n},fee,0,0,0,USD,,2026-01-01T00:00:00Z," for n in range(20_001)]),
            "more than 20000 rows",
        ),
    ],
)
def test_when_a_file_can_not_be_read_exactly_then_it_is_refused_and_nothing_moves(content, told):
    content = content.encode() if isinstance(content, str) else content

    with nothing_moves(), pytest.raises(InvalidInput) as refused:
        brought(content=content, currency="USD")

    assert told in refused.value.detail
    assert refused.value.field == "content"


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"processor": "nobody"}, "processor"),
        ({"processor": "../sandbox"}, "processor"),
        ({"currency": "ZZZ"}, "currency"),
        ({"last_day": today() - YESTERDAY}, "last_day"),
        ({"last_day": today() + 2 * YESTERDAY}, "last_day"),
    ],
)
def test_when_what_is_said_of_a_file_makes_no_sense_then_it_is_refused_by_name(facts, field):
    with nothing_moves(), pytest.raises(InvalidInput) as refused:
        brought(**facts)

    assert refused.value.field == field
