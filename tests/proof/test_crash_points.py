"""The campaign's crash points in short: one money call, killed wherever it speaks to the database."""

from tests.proof.crash_points import kill_at_each_statement
from tests.proof.in_process import InProcess
from tests.proof.money_calls import Payer
from tests.proof.parts import Bounds

PLACES_OF_A_PAYMENT = 5
"""BEGIN, the lock, the write, COMMIT, and the answer."""


def test_when_a_payment_is_killed_at_every_place_and_on_resume_then_it_has_one_effect(
    committed: None,
) -> None:
    payer = Payer(InProcess)

    places, found = kill_at_each_statement(payer, "pay", Bounds())

    assert found == []
    assert places == PLACES_OF_A_PAYMENT
