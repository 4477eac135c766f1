"""A wallet tops itself up by its rule: when it runs low, once, within its limits, and not against a bank's no."""

from datetime import UTC, datetime, timedelta

import pytest

from events import clock
from events.models import AuditEntry
from payments.auto_topups import sweep_due_top_ups, sweep_overlooked_top_ups
from payments.models import AutoTopUp
from payments.processors.declines import declined
from payments.processors.sandbox import SandboxProcessor
from payments.refusals import ProcessorUnavailable
from payments.top_up_rules import pause_rule, remove_rule, resume_rule
from tests.payments.customers import FAILS_WHEN_CHARGED, SUCCEEDS, TIMES_OUT, Customer, sweep_later, unkeyed
from tests.payments.top_ups import (
    fund,
    give_rule,
    kinds_and_reasons,
    later,
    look,
    move_to,
    rule_of,
    spend,
    sweep,
    told,
    top_ups,
)
from tokens.tokenization import delete_token
from transactions.models import IdempotencyKey
from wallets.lifecycle import close_wallet, reactivate_wallet, suspend_wallet
from wallets.limits import set_limits


@pytest.fixture
def low(customer: Customer) -> Customer:
    """Somebody whose rule has just been left with 400 of the 1,000 that it watches over."""
    fund(customer, 5_000)
    give_rule(customer)
    look(customer)
    spend(customer, 4_600)
    return customer


def changed(customer: Customer, change) -> None:
    change(wallet_id=customer.wallet_id, owner_id=customer.user.id, actor=customer.actor, call=unkeyed())


def test_when_a_debit_leaves_too_little_then_the_card_is_charged_once_and_it_is_told(low):
    look(low)
    look(low)
    sweep(low)

    assert (low.balance, top_ups(low)) == (2_900, [("succeeded", 2_500)])
    paid = low.payments[-1]
    (event,) = told(low.wallet_id)
    assert {name: event[name] for name in ("kind", "payment_id", "transaction_id", "amount", "trigger")} == {
        "kind": "top_up.succeeded",
        "payment_id": str(paid.id),
        "transaction_id": str(paid.transaction_id),
        "amount": 2_500,
        "trigger": "threshold",
    }
    key = IdempotencyKey.objects.get(resource=f"payment:{paid.id}")
    assert key.principal == "system:auto-top-up"
    assert key.key == f"{low.wallet_id}:{event['occasion']}:1"


@pytest.mark.parametrize("spent", [0, 1, 4_000])
def test_when_enough_is_left_then_nothing_is_charged(customer, spent):
    fund(customer, 5_000)
    give_rule(customer)
    if spent:
        spend(customer, spent)

    look(customer)

    assert (top_ups(customer), told(customer.wallet_id), rule_of(customer).due_at) == ([], [], None)


def test_when_a_debit_commits_then_only_a_wallet_that_has_run_low_is_rung_for(customer, monkeypatch):
    rung: list[tuple[str, ...]] = []
    fund(customer, 5_000)
    give_rule(customer)
    other = Customer.with_wallet("USD")
    fund(other, 5_000)
    monkeypatch.setattr("events.doorbells.ring", lambda *bell: rung.append(bell))

    spend(customer, 4_000)
    spend(other, 4_999)
    quiet = list(rung)
    spend(customer, 1)

    assert quiet == []
    assert rung == [("payments.attend_to_top_up", str(customer.wallet_id))]


def test_when_the_bell_was_lost_then_the_sweep_finds_the_wallet(low):
    sweep_overlooked_top_ups(wallet_id=low.wallet_id)
    sweep_overlooked_top_ups(wallet_id=low.wallet_id)

    assert top_ups(low) == [("succeeded", 2_500)]


def test_when_money_is_spent_right_after_then_the_next_top_up_waits_for_the_cooldown(low, settings):
    look(low)
    spend(low, 2_500)

    look(low)
    at_once = top_ups(low)
    later(low, seconds=settings.AUTO_TOP_UP_COOLDOWN_S + 1)

    assert at_once == [("succeeded", 2_500)]
    assert top_ups(low) == [("succeeded", 2_500)] * 2


def test_when_a_day_has_had_its_top_ups_then_the_next_one_waits_for_the_owner_s_next_day(customer, settings):
    settings.AUTO_TOP_UP_DAILY_CAP = 2
    customer.user.time_zone = "Pacific/Auckland"
    customer.user.save()
    fund(customer, 1)
    give_rule(customer, amount=10)
    noon = datetime(2031, 1, 1, 23, 0, tzinfo=UTC)  # the 2nd, 12:00 in Auckland
    move_to(customer, noon)

    for _ in range(4):
        later(customer, minutes=2)
    capped = rule_of(customer)
    that_day = top_ups(customer)
    move_to(customer, datetime(2031, 1, 2, 11, 0, tzinfo=UTC))
    sweep(customer)

    assert that_day == [("succeeded", 10)] * 2
    assert capped.due_at == datetime(2031, 1, 2, 11, 0, tzinfo=UTC)
    assert top_ups(customer) == [("succeeded", 10)] * 3
    assert kinds_and_reasons(customer) == [
        ("top_up.succeeded", None),
        ("top_up.succeeded", None),
        ("top_up.failed", "daily_cap"),
        ("top_up.succeeded", None),
    ]


def test_when_a_month_has_had_its_limit_then_the_next_top_up_waits_for_the_owner_s_next_month(customer):
    customer.user.time_zone = "America/New_York"
    customer.user.save()
    fund(customer, 1)
    move_to(customer, datetime(2031, 1, 30, 12, 0, tzinfo=UTC))
    with clock.time_of(customer.wallet_id):
        give_rule(customer, amount=400, monthly_limit=800)

    for _ in range(4):
        later(customer, minutes=2)
    limited = rule_of(customer)
    january = top_ups(customer)
    later(customer, days=1)
    move_to(customer, datetime(2031, 2, 1, 4, 59, 59, tzinfo=UTC))
    sweep(customer)
    still_january = top_ups(customer)
    later(customer, seconds=1)

    assert january == still_january == [("succeeded", 400)] * 2
    assert limited.due_at == datetime(2031, 2, 1, 5, 0, tzinfo=UTC)
    assert top_ups(customer) == [("succeeded", 400)] * 3
    assert [reason for _kind, reason in kinds_and_reasons(customer)] == [None, None, "monthly_limit", None]


def declining(monkeypatch, code: str) -> list[str]:
    """Have the processor decline every charge; gives the keys that it was asked with."""
    asked: list[str] = []

    def charge(_self, request):
        asked.append(request.key)
        return declined(code)

    monkeypatch.setattr(SandboxProcessor, "charge", charge)
    return asked


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        ("insufficient_funds", [timedelta(hours=1), timedelta(hours=6)]),
        ("generic_decline", [timedelta(days=1), timedelta(days=3)]),
    ],
)
def test_when_a_card_is_declined_then_it_is_left_alone_longer_each_time_and_at_last_for_good(
    low, monkeypatch, code, waits
):
    asked = declining(monkeypatch, code)

    look(low)
    for wait in waits:
        rule = rule_of(low)
        assert abs(rule.due_at - clock.now_of(low.wallet_id) - wait) < timedelta(seconds=30)
        later(low, seconds=wait.total_seconds() - 60)
        before = len(asked)
        later(low, seconds=61)
        assert len(asked) == before + 1
    rule = rule_of(low)
    later(low, days=40)

    assert (rule.is_enabled, rule.disabled_reason, rule.failures) == (False, "card_declined", 3)
    assert (rule.due_at, rule.occasion) == (None, "")
    assert len(asked) == len(set(asked)) == 3
    assert kinds_and_reasons(low) == [("top_up.failed", code)] * 3 + [("top_up.disabled", "card_declined")]
    assert [event.get("retry_at") is None for event in told(low.wallet_id)] == [False, False, True, True]
    assert low.balance == 400


def test_when_the_provider_says_never_again_then_the_card_is_not_tried_again_and_the_bank_s_word_not_told(
    low, monkeypatch
):
    asked = declining(monkeypatch, "stolen_card")

    look(low)
    later(low, days=40)
    rule = rule_of(low)

    assert len(asked) == 1
    assert (rule.is_enabled, rule.disabled_reason) == (False, "card_declined")
    assert kinds_and_reasons(low) == [
        ("top_up.failed", "generic_decline"),
        ("top_up.disabled", "card_declined"),
    ]
    assert "stolen" not in str(told(low.wallet_id))


def test_when_a_declined_card_works_again_then_the_declines_are_forgotten(low, monkeypatch):
    with monkeypatch.context() as broken:
        declining(broken, "insufficient_funds")
        look(low)

    later(low, hours=1, minutes=1)

    assert (rule_of(low).failures, top_ups(low)) == (0, [("failed", 2_500), ("succeeded", 2_500)])


def test_when_somebody_funds_the_wallet_after_a_decline_then_the_card_is_not_tried_again(low, monkeypatch):
    asked = declining(monkeypatch, "insufficient_funds")
    look(low)
    monkeypatch.undo()
    fund(low, 5_000)

    later(low, hours=2)

    assert len(asked) == 1
    assert (rule_of(low).occasion, top_ups(low)) == ("", [("failed", 2_500)])


def test_when_another_card_is_chosen_after_a_decline_then_it_is_charged_at_once(low):
    give_rule(low, low.card(FAILS_WHEN_CHARGED))
    look(low)
    declined_once = top_ups(low)

    give_rule(low, low.card(SUCCEEDS))
    look(low)

    assert declined_once == [("failed", 2_500)]
    assert top_ups(low) == [("failed", 2_500), ("succeeded", 2_500)]
    assert rule_of(low).failures == 0


def test_when_the_outcome_is_unknown_then_nothing_else_is_charged_until_it_is_known_and_it_is_told_once(low):
    give_rule(low, low.card(TIMES_OUT))
    look(low)
    unknown = (low.balance, top_ups(low), told(low.wallet_id))
    look(low)
    move_to(low, clock.now_of(low.wallet_id) + timedelta(minutes=10))
    sweep(low)
    still = top_ups(low)

    sweep_later()
    later(low, minutes=1)
    later(low, minutes=1)

    assert unknown == (400, [("pending", 2_500)], [])
    assert still == [("pending", 2_500)]
    assert (low.balance, top_ups(low)) == (2_900, [("succeeded", 2_500)])
    assert kinds_and_reasons(low) == [("top_up.succeeded", None)]


def test_when_the_provider_is_away_then_the_same_attempt_is_made_later_and_counts_as_no_decline(
    low, monkeypatch
):
    def away(_self, _request):
        raise ProcessorUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(SandboxProcessor, "charge", away)
        look(low)
    rule = rule_of(low)
    later(low, minutes=16)

    assert (rule.failures, rule.attempt, rule.is_enabled) == (0, 1, True)
    assert top_ups(low) == [("failed", 2_500), ("succeeded", 2_500)]
    assert kinds_and_reasons(low) == [("top_up.succeeded", None)]
    assert (
        IdempotencyKey.objects.filter(
            principal="system:auto-top-up", key__startswith=str(low.wallet_id)
        ).count()
        == 1
    )


def test_when_the_token_is_deleted_then_the_rule_is_switched_off_and_it_is_told(low):
    token_id = rule_of(low).token_id
    delete_token(token_id=token_id, owner_id=low.user.id, actor=low.actor, call=unkeyed())

    sweep_overlooked_top_ups(wallet_id=low.wallet_id)
    rule = rule_of(low)

    assert (rule.is_enabled, rule.disabled_reason, top_ups(low)) == (False, "token_deleted", [])
    assert kinds_and_reasons(low) == [("top_up.disabled", "token_deleted")]


def test_when_the_wallet_is_closed_then_its_rule_is_switched_off(customer):
    give_rule(customer, threshold=0)
    look(customer)
    close_wallet(
        wallet_id=customer.wallet_id,
        owner_id=customer.user.id,
        actor=customer.actor,
        reason="done",
        call=unkeyed(),
    )

    sweep_overlooked_top_ups(wallet_id=customer.wallet_id)

    assert (rule_of(customer).disabled_reason, top_ups(customer)) == ("wallet_closed", [])


def test_when_the_customer_is_deactivated_then_nothing_is_charged(low):
    low.user.is_active = False
    low.user.save()

    look(low)

    assert (rule_of(low).disabled_reason, top_ups(low)) == ("customer_deactivated", [])


def test_when_the_wallet_is_suspended_then_it_is_topped_up_once_it_is_active_again(low):
    staff = {"wallet_id": low.wallet_id, "actor": "support:1", "reason": "looked into", "call": unkeyed()}
    suspend_wallet(**staff)
    look(low)
    sweep_overlooked_top_ups(wallet_id=low.wallet_id)
    suspended = (top_ups(low), rule_of(low).is_enabled)

    reactivate_wallet(**staff)
    sweep_overlooked_top_ups(wallet_id=low.wallet_id)

    assert suspended == ([], True)
    assert top_ups(low) == [("succeeded", 2_500)]


def test_when_the_wallet_has_no_room_then_it_is_told_and_tried_again_the_next_day(low):
    none = dict.fromkeys(("per_transaction", "daily_outflow", "monthly_outflow", "credit"))
    set_limits(wallet_id=low.wallet_id, actor="support:1", call=unkeyed(), maximum_balance=2_000, **none)

    look(low)
    look(low)
    full = rule_of(low)
    set_limits(wallet_id=low.wallet_id, actor="support:1", call=unkeyed(), maximum_balance=None, **none)
    later(low, days=1)

    assert full.due_at > clock.now()
    assert kinds_and_reasons(low) == [("top_up.failed", "limit_exceeded"), ("top_up.succeeded", None)]
    assert top_ups(low) == [("succeeded", 2_500)]


def test_when_a_rule_is_paused_then_nothing_is_charged_until_it_is_resumed(low):
    changed(low, pause_rule)
    changed(low, pause_rule)
    look(low)
    sweep_overlooked_top_ups(wallet_id=low.wallet_id)
    paused = top_ups(low)

    changed(low, resume_rule)
    sweep(low)

    assert paused == []
    assert top_ups(low) == [("succeeded", 2_500)]
    actions = AuditEntry.objects.filter(object_type="auto_top_up", object_id=str(low.wallet_id)).order_by(
        "id"
    )
    assert list(actions.values_list("action", flat=True)) == [
        "auto_top_up.set",
        "auto_top_up.paused",
        "auto_top_up.resumed",
        "top_up.succeeded",
    ]


@pytest.mark.parametrize("change", [pause_rule, remove_rule], ids=["paused", "removed"])
def test_when_a_rule_is_stopped_with_a_charge_under_way_then_that_ends_and_nothing_follows(low, change):
    give_rule(low, low.card(TIMES_OUT))
    look(low)

    changed(low, change)
    sweep_later()
    later(low, minutes=2)
    spend(low, 2_500)
    look(low)
    sweep_overlooked_top_ups(wallet_id=low.wallet_id)

    assert (low.balance, top_ups(low)) == (400, [("succeeded", 2_500)])
    assert kinds_and_reasons(low) == [("top_up.succeeded", None)]


def test_when_a_removed_rule_is_written_again_while_its_top_up_is_open_then_there_is_still_one(low):
    give_rule(low, low.card(TIMES_OUT))
    look(low)
    changed(low, remove_rule)

    give_rule(low, low.card())
    look(low)
    move_to(low, clock.now_of(low.wallet_id) + timedelta(minutes=2))
    sweep(low)

    assert top_ups(low) == [("pending", 2_500)]


def test_when_another_top_up_is_open_on_the_wallet_then_the_table_has_room_for_no_second(low):
    open_one = low.top_up(low.card(TIMES_OUT).id, 300, kind="top_up")

    look(low)
    waiting = (top_ups(low), rule_of(low).due_at > clock.now())
    sweep_later()
    later(low, minutes=2)

    assert open_one.status == 202
    assert waiting == ([("pending", 300)], True)
    assert top_ups(low) == [("succeeded", 300), ("succeeded", 2_500)]


def test_when_one_rule_breaks_then_the_sweep_goes_on_with_the_others(low, monkeypatch):
    other = Customer.with_wallet("USD")
    give_rule(other)
    broken = AutoTopUp.objects.filter(wallet_id=low.wallet_id)
    broken.update(
        due_at=clock.now() - timedelta(days=1), schedule={"every": "never"}, next_run_on="2020-01-01"
    )

    sweep_due_top_ups(limit=1000)

    assert (top_ups(low), top_ups(other)) == ([], [("succeeded", 2_500)])
    broken.update(is_enabled=False, due_at=None, next_run_on=None, next_run_at=None)


def test_when_there_is_no_rule_then_nothing_happens(customer):
    before = customer.books()

    look(customer)
    sweep(customer)

    assert (customer.books(), told(customer.wallet_id)) == (before, [])
