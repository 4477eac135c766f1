"""The short form of the part `keys`: the same races, in the process."""

import pytest
from django.db import connections

from tests.proof.in_process import InProcess
from tests.proof.keys import Tally, race_chunk
from tests.proof.money_calls import MONEY_CALLS, Payer, Sent


def once(sent: Sent, key: str) -> tuple[int, bytes, bool]:
    answer = sent.by.call("POST", sent.path, sent.body, key=key)
    return answer.status_code, answer.content, answer.headers.get("Idempotent-Replayed") == "true"


@pytest.mark.parametrize("name", MONEY_CALLS)
def test_when_a_key_is_raced_by_eight_then_it_has_one_effect_and_one_answer(committed, name: str) -> None:
    payer, tally = Payer(InProcess), Tally()

    race_chunk(tally, name, [payer], size=2, persist=once)
    connections.close_all()

    assert tally.found == []
    assert (tally.kept[name], tally.figures["answers"]) == (2, 16)
    for one in tally.raced:
        status, content, is_replay = once(one.sent, one.key)
        assert ((status, content), is_replay) == (one.effect, True)
        refused = one.sent.by.call("POST", one.sent.path, one.sent.other, key=one.key)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


def test_when_a_key_had_two_effects_then_the_race_says_so(committed) -> None:
    payer, tally = Payer(InProcess), Tally()

    race_chunk(tally, "pay", [payer], size=1, persist=lambda sent, key: once(sent, ""))

    assert len(tally.found) == 3
    assert "left" in tally.found[-1]


def test_when_something_dies_in_the_middle_of_a_race_then_the_race_goes_on_and_is_judged(committed) -> None:
    payer, tally, hits = Payer(InProcess), Tally(), []

    race_chunk(tally, "pay", [payer], size=2, persist=once, meanwhile=lambda: hits.append(1))

    assert (hits, tally.found, tally.figures["answers"]) == ([1], [], 16)
