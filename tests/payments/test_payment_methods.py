"""A wallet's payment methods: added with consent, one of them the default, gone with their card."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from events.models import AuditEntry, OutboxEntry
from payments.models import SavedMethod
from payments.payment_methods import add_method, default_of, make_default, methods_of, remove_method
from tests.payments.customers import DECLINED, Customer, unkeyed
from tests.payments.top_ups import give_rule, rule_of
from tokens.refusals import TokenDeleted
from tokens.tokenization import delete_token
from transactions.refusals import NotFound
from wallets.lifecycle import close_wallet
from wallets.refusals import WalletClosed


def add(customer: Customer, token_id: UUID, **named: Any) -> None:
    add_method(
        wallet_id=customer.wallet_id,
        owner_id=customer.user.id,
        token_id=token_id,
        actor=customer.actor,
        call=unkeyed(),
        **named,
    )


def remove(customer: Customer, token_id: UUID) -> None:
    remove_method(
        wallet_id=customer.wallet_id,
        owner_id=customer.user.id,
        token_id=token_id,
        actor=customer.actor,
        call=unkeyed(),
    )


def choose(customer: Customer, token_id: UUID) -> None:
    make_default(
        wallet_id=customer.wallet_id,
        owner_id=customer.user.id,
        token_id=token_id,
        actor=customer.actor,
        call=unkeyed(),
    )


def forget(customer: Customer, token_id: UUID) -> None:
    delete_token(token_id=token_id, owner_id=customer.user.id, actor=customer.actor, call=unkeyed())


def standing(customer: Customer) -> list[tuple[UUID, bool]]:
    """The wallet's methods, oldest first, with the mark of the default."""
    return list(methods_of(customer.wallet_id).order_by("id").values_list("token_id", "is_default"))


def rows(customer: Customer) -> list[dict[str, Any]]:
    return list(SavedMethod.objects.filter(wallet_id=customer.wallet_id).order_by("id").values())


@pytest.fixture
def cards(customer: Customer) -> list[UUID]:
    """Three saved cards, all of them methods of the wallet."""
    saved = [customer.card().id for _ in range(3)]
    for card in saved:
        add(customer, card)
    return saved


def test_when_methods_are_added_then_the_first_is_the_default(customer, cards):
    assert standing(customer) == [(cards[0], True), (cards[1], False), (cards[2], False)]
    trail = AuditEntry.objects.filter(object_id=str(customer.wallet_id), action="payment_method.added")
    assert [entry.after["token_id"] for entry in trail.order_by("id")] == [str(card) for card in cards]


def test_when_a_method_is_added_then_the_words_agreed_to_are_kept_with_their_time(customer):
    ours, theirs = customer.card(), customer.card()

    add(customer, ours.id)
    add(customer, theirs.id, consent_text="Charge me.")

    ours.refresh_from_db()
    theirs.refresh_from_db()
    assert ours.consent_text.startswith("Open Wallet may keep this card and charge it when I add money")
    assert (theirs.consent_text, theirs.consent_at is not None) == ("Charge me.", True)


def test_when_a_method_is_added_again_then_it_stays_as_it_is(customer, cards):
    before = rows(customer)

    add(customer, cards[1])

    assert rows(customer) == before


def test_when_the_card_is_another_s_or_deleted_then_it_becomes_no_method(customer, cards):
    other = Customer.with_wallet("USD")
    gone = customer.card().id
    forget(customer, gone)
    before = rows(customer)

    with pytest.raises(NotFound):
        add(customer, other.card().id)
    with pytest.raises(TokenDeleted):
        add(customer, gone)
    with pytest.raises(NotFound):
        add(Customer(user=other.user, wallet_id=customer.wallet_id, currency="USD"), other.card().id)

    assert rows(customer) == before


def test_when_the_wallet_is_closed_then_it_takes_no_method(customer):
    card = customer.card().id
    close_wallet(
        wallet_id=customer.wallet_id, owner_id=None, actor="service:test", reason="done", call=unkeyed()
    )

    with pytest.raises(WalletClosed):
        add(customer, card)

    assert rows(customer) == []


def test_when_another_default_is_chosen_then_there_is_still_one(customer, cards):
    choose(customer, cards[2])

    assert standing(customer) == [(cards[0], False), (cards[1], False), (cards[2], True)]


@pytest.mark.parametrize(
    ("gone", "left"), [(0, [(1, True), (2, False)]), (1, [(0, True), (2, False)])], ids=["default", "other"]
)
def test_when_a_method_is_removed_then_the_rest_has_a_default_and_the_card_stays(customer, cards, gone, left):
    remove(customer, cards[gone])

    assert standing(customer) == [(cards[index], is_default) for index, is_default in left]
    assert customer.top_up(cards[gone], 100).status == 201


def test_when_the_last_method_is_removed_then_there_is_none(customer):
    card = customer.card().id
    add(customer, card)

    remove(customer, card)

    assert (standing(customer), default_of(customer.wallet_id)) == ([], None)


@pytest.mark.parametrize("change", [remove, choose])
def test_when_the_card_is_no_method_of_the_wallet_then_there_is_no_such_method(customer, cards, change):
    before = rows(customer)

    with pytest.raises(NotFound):
        change(customer, customer.card().id)

    assert rows(customer) == before


def test_when_the_default_s_card_is_deleted_then_the_oldest_left_is_meant_and_soon_marked(customer, cards):
    forget(customer, cards[0])
    meant = default_of(customer.wallet_id)
    shown = standing(customer)

    add(customer, customer.card().id)

    assert (meant, shown) == (cards[1], [(cards[1], False), (cards[2], False)])
    assert standing(customer)[:2] == [(cards[1], True), (cards[2], False)]
    assert cards[0] not in [row["token_id"] for row in rows(customer)]


def test_when_the_card_of_an_automatic_top_up_is_removed_then_that_is_switched_off_and_told(customer):
    token = customer.card()
    add(customer, token.id)
    give_rule(customer, token)

    remove(customer, token.id)

    rule = rule_of(customer)
    assert (rule.is_enabled, rule.disabled_reason, rule.due_at) == (False, "card_removed", None)
    told = OutboxEntry.objects.get(kind="top_up.disabled", payload__user_id=str(customer.user.id))
    assert told.payload["reason"] == "card_removed"


def test_when_another_card_is_removed_then_the_automatic_top_up_goes_on(customer, cards):
    give_rule(customer)

    remove(customer, cards[0])

    assert rule_of(customer).is_enabled is True


def test_when_no_method_would_be_the_default_then_the_table_says_no(customer, cards):
    with pytest.raises(IntegrityError, match="has payment methods and no default"), transaction.atomic():
        SavedMethod.objects.filter(wallet_id=customer.wallet_id).update(is_default=False)
    with pytest.raises(IntegrityError, match="has payment methods and no default"), transaction.atomic():
        SavedMethod.objects.filter(wallet_id=customer.wallet_id, is_default=True).delete()
    with pytest.raises(IntegrityError, match="saved_method_one_default"), transaction.atomic():
        SavedMethod.objects.filter(wallet_id=customer.wallet_id).update(is_default=True)

    assert standing(customer)[0] == (cards[0], True)


def test_when_changes_race_then_there_is_one_default_at_the_end(customer, cards):
    added = [customer.card(DECLINED).id for _ in range(3)]
    changes = [
        *((add, card) for card in added),
        (choose, cards[1]),
        (choose, cards[2]),
        (remove, cards[0]),
    ]
    start = Barrier(len(changes))

    def race(change: tuple[Any, UUID]) -> None:
        try:
            start.wait(timeout=10)
            change[0](customer, change[1])
        finally:
            connection.close()

    with ThreadPoolExecutor(len(changes)) as racers:
        list(racers.map(race, changes))

    left = standing(customer)
    assert {token_id for token_id, _ in left} == {cards[1], cards[2], *added}
    assert sum(is_default for _, is_default in left) == 1
