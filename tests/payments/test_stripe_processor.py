"""What only Stripe's processors do: what they send, how they retry, and what they make of odd answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from payments.processors import basis_theory_proxy, calls, stripe
from payments.processors.contract import (
    ChargeRequest,
    Declined,
    DisputeFacts,
    DisputeStage,
    NotFound,
    RefundRequest,
    RequiresAction,
    RetryClass,
    Succeeded,
    Unknown,
)
from payments.refusals import ProcessorFailed, ProcessorUnavailable
from tests.contracts.fake_proxy import CRYPTOGRAM
from tests.contracts.fake_stripe import StripeRefuses, decoded
from tests.contracts.fake_stripe_charges import (
    ALWAYS_AUTHENTICATES,
    AUTHENTICATES_UNLESS_SET_UP,
    IS_DISPUTED,
    IS_INQUIRED,
    REFUND_TAKES_TIME,
)
from tests.contracts.processor_worlds import (
    SUCCEEDS,
    World,
    basis_theory_proxied,
    card,
    stripe_by_number,
    stripe_by_reference,
)
from tokens.outbound import ReferenceForCharge
from tokens.providers.calls import Limits
from transactions.money import Money

PATIENT = Limits(connect_s=0.5, read_s=0.4, total_s=8.0, attempts=3)


@pytest.fixture
def by_number(committed, settings, monkeypatch) -> Iterator[World]:
    yield from stripe_by_number(settings, monkeypatch)


@pytest.fixture
def by_reference(committed, settings, monkeypatch) -> Iterator[World]:
    yield from stripe_by_reference(settings, monkeypatch)


@pytest.fixture
def proxied(committed, settings, monkeypatch) -> Iterator[World]:
    yield from basis_theory_proxied(settings, monkeypatch)


@pytest.fixture
def patient(monkeypatch) -> None:
    """Retries, as in earnest, only faster."""
    monkeypatch.setattr(stripe, "SENDING", PATIENT)
    monkeypatch.setattr(basis_theory_proxy, "SENDING", PATIENT)
    monkeypatch.setattr("tokens.providers.calls._back_off_s", lambda _attempt: 0.01)


def asked(world: World, number: str = SUCCEEDS, *, amount: int = 2500, **changes: Any) -> ChargeRequest:
    named: dict[str, Any] = {"key": f"payment-{uuid7()}", "metadata": {"payment_id": "p-1"}, **changes}
    named.setdefault("source", world.source(number))
    return ChargeRequest(amount=Money(amount, "USD"), **named)


def sent_by(world: World) -> dict[str, Any]:
    """Give what the last charge asked of Stripe."""
    return decoded(world.stripe.asked("POST", "/v1/payment_intents")[-1].body.decode())


def charged(world: World, number: str = SUCCEEDS, **changes: Any) -> Succeeded:
    outcome = calls.charge(world.processor, asked(world, number, **changes))
    assert isinstance(outcome, Succeeded)
    return outcome


def refund_of(charge: Succeeded, amount: int = 1000) -> RefundRequest:
    return RefundRequest(
        key=f"refund-{uuid7()}",
        charge_reference=charge.reference,
        amount=Money(amount, "USD"),
        reason="customer_request",
    )


def test_when_a_saved_card_is_charged_then_customer_method_and_our_key_are_named(by_reference):
    request = asked(by_reference)

    calls.charge(by_reference.processor, request)

    sent = sent_by(by_reference)
    customer, method = request.source.ref.split("/")
    assert (sent["customer"], sent["payment_method"]) == (customer, method)
    assert sent["metadata"] == {"payment_id": "p-1", "open_wallet_key": request.key}
    assert (sent["confirm"], sent["payment_method_types"]) == ("true", {"0": "card"})
    assert {"off_session", "setup_future_usage", "return_url"}.isdisjoint(sent)
    received = by_reference.stripe.asked("POST", "/v1/payment_intents")[-1]
    assert received.headers["idempotency-key"] == request.key


def test_when_a_saved_card_is_charged_for_the_first_time_then_it_is_set_up_for_later(by_reference):
    calls.charge(by_reference.processor, asked(by_reference, is_first_charge=True))

    assert sent_by(by_reference)["setup_future_usage"] == "off_session"


def test_when_nobody_is_there_then_the_charge_is_off_session(by_reference, settings):
    settings.STRIPE_RETURN_URL = "https://wallet.example/paid"

    calls.charge(by_reference.processor, asked(by_reference, is_off_session=True, is_first_charge=True))

    sent = sent_by(by_reference)
    assert sent["off_session"] == "true"
    assert {"setup_future_usage", "return_url"}.isdisjoint(sent)


def test_when_a_phones_number_is_charged_then_its_proof_goes_along(by_number):
    source = card(scheme="google_pay", cryptogram="AAEC", eci="07")

    calls.charge(by_number.processor, asked(by_number, source=source))

    sent = sent_by(by_number)
    token = {
        "number": SUCCEEDS,
        "exp_month": "12",
        "exp_year": "2040",
        "tokenization_method": "google_pay",
    }
    assert sent["payment_method_data"]["card"] == {"network_token": token}
    assert sent["payment_method_options"]["card"]["network_token"] == {
        "cryptogram": "AAEC",
        "electronic_commerce_indicator": "07",
    }


@pytest.mark.parametrize(("scheme", "kind"), [("apple_pay", "network_token"), ("google_pay", "number")])
def test_when_a_saved_phones_card_is_charged_later_then_it_goes_without_a_proof(by_number, scheme, kind):
    calls.charge(by_number.processor, asked(by_number, source=card(scheme=scheme)))

    sent = sent_by(by_number)
    assert kind in sent["payment_method_data"]["card"]
    assert "payment_method_options" not in sent


def test_when_the_bank_wants_the_customer_then_the_client_gets_what_it_needs(by_number):
    request = asked(by_number, ALWAYS_AUTHENTICATES)

    outcome = calls.charge(by_number.processor, request)

    assert isinstance(outcome, RequiresAction)
    assert outcome.next_action == {
        "type": "use_stripe_sdk",
        "client_secret": f"{outcome.reference}_secret_x",
    }
    assert by_number.charged(request.key) == 0
    assert calls.find_charge(by_number.processor, key=request.key) == outcome


def test_when_there_is_a_page_to_return_to_then_the_client_gets_the_banks_address(by_number, settings):
    settings.STRIPE_RETURN_URL = "https://wallet.example/paid"

    outcome = calls.charge(by_number.processor, asked(by_number, ALWAYS_AUTHENTICATES))

    assert isinstance(outcome, RequiresAction)
    assert (outcome.next_action["type"], outcome.next_action["url"]) == (
        "redirect_to_url",
        "https://bank.example/3ds",
    )


@pytest.mark.parametrize(("passes", "kind", "amount"), [(True, Succeeded, 2500), (False, Declined, 0)])
def test_when_the_customer_has_answered_the_bank_then_asking_tells_the_end(by_number, passes, kind, amount):
    request = asked(by_number, ALWAYS_AUTHENTICATES)
    waiting = calls.charge(by_number.processor, request)
    assert isinstance(waiting, RequiresAction)

    by_number.stripe.customer_confirms(waiting.reference, passes=passes)

    found = calls.find_charge(by_number.processor, key=request.key, reference=waiting.reference)
    assert isinstance(found, kind)
    assert by_number.charged(request.key) == amount


def test_when_a_charge_that_waits_is_cancelled_then_it_is_declined_and_can_not_be_paid_any_more(by_number):
    request = asked(by_number, ALWAYS_AUTHENTICATES)
    waiting = calls.charge(by_number.processor, request)
    assert isinstance(waiting, RequiresAction)

    outcome = calls.cancel_charge(by_number.processor, key=request.key, reference=waiting.reference)

    assert isinstance(outcome, Declined)
    assert outcome.decline_code == "authentication_not_handled"
    assert by_number.stripe.objects[waiting.reference]["status"] == "canceled"


def test_when_it_was_paid_before_it_is_cancelled_then_the_success_counts(by_number):
    request = asked(by_number, ALWAYS_AUTHENTICATES)
    waiting = calls.charge(by_number.processor, request)
    assert isinstance(waiting, RequiresAction)
    by_number.stripe.customer_confirms(waiting.reference)

    outcome = calls.cancel_charge(by_number.processor, key=request.key, reference=waiting.reference)

    assert outcome == Succeeded(reference=waiting.reference, amount=Money(2500, "USD"))


def test_when_nobody_is_there_for_the_bank_then_it_is_a_decline_that_asks_the_customer(by_reference):
    request = asked(by_reference, ALWAYS_AUTHENTICATES, is_off_session=True)

    outcome = calls.charge(by_reference.processor, request)

    assert isinstance(outcome, Declined)
    assert (outcome.decline_code, outcome.retry) == ("authentication_required", RetryClass.ASK_CUSTOMER)
    assert outcome.reference.startswith("pi_")
    assert calls.find_charge(by_reference.processor, key=request.key) == outcome


def test_when_a_card_that_is_set_up_is_charged_off_session_then_it_succeeds(by_reference):
    assert charged(by_reference, AUTHENTICATES_UNLESS_SET_UP, is_off_session=True).amount.amount == 2500


def test_when_the_card_is_stolen_then_it_is_never_tried_again(by_number):
    outcome = calls.charge(by_number.processor, asked(by_number, "4000000000009979"))

    assert isinstance(outcome, Declined)
    assert (outcome.decline_code, outcome.retry) == ("stolen_card", RetryClass.NEVER)


@pytest.mark.parametrize(
    ("advice", "retry"),
    [
        ("try_again_later", RetryClass.LATER),
        ("do_not_try_again", RetryClass.NEVER),
        ("confirm_card_data", RetryClass.ASK_CUSTOMER),
        ("something_new", RetryClass.ASK_CUSTOMER),
    ],
)
def test_when_the_bank_gives_advice_then_it_counts_for_more_than_the_code(
    by_number, monkeypatch, advice, retry
):
    def refuse(*_: Any) -> Any:
        raise StripeRefuses(
            402, "card_declined", kind="card_error", decline_code="do_not_honor", advice_code=advice
        )

    monkeypatch.setattr(by_number.stripe, "create_intent", refuse)

    outcome = calls.charge(by_number.processor, asked(by_number))

    assert isinstance(outcome, Declined)
    assert (outcome.decline_code, outcome.retry) == ("do_not_honor", retry)


@pytest.mark.parametrize(
    ("status", "code", "param", "expected"),
    [
        (400, "amount_too_small", "amount", "invalid_amount"),
        (404, "resource_missing", "payment_method", "invalid_account"),
        (400, "resource_missing", "customer", "invalid_account"),
        (400, "payment_method_unexpected_state", "", "invalid_account"),
    ],
)
def test_when_stripe_will_not_have_the_amount_or_the_card_then_it_is_a_decline(
    by_number, monkeypatch, status, code, param, expected
):
    def refuse(*_: Any) -> Any:
        raise StripeRefuses(status, code, param=param)

    monkeypatch.setattr(by_number.stripe, "create_intent", refuse)

    outcome = calls.charge(by_number.processor, asked(by_number))

    assert isinstance(outcome, Declined)
    assert outcome.decline_code == expected


@pytest.mark.parametrize(
    ("status", "code"), [(400, "parameter_unknown"), (403, ""), (404, "resource_missing")]
)
def test_when_stripe_refuses_the_request_itself_then_nothing_was_charged(
    by_number, monkeypatch, status, code
):
    def refuse(*_: Any) -> Any:
        raise StripeRefuses(status, code)

    monkeypatch.setattr(by_number.stripe, "create_intent", refuse)

    with pytest.raises(ProcessorFailed):
        calls.charge(by_number.processor, asked(by_number))


def test_when_our_key_is_wrong_then_nothing_was_charged_and_asking_leaves_it_unknown(by_number, settings):
    settings.STRIPE_API_KEY = "sk_test_wrong"
    request = asked(by_number)

    with pytest.raises(ProcessorFailed):
        calls.charge(by_number.processor, request)

    assert isinstance(calls.find_charge(by_number.processor, key=request.key), Unknown)


@pytest.mark.parametrize(
    "failure", ["timeout_before", "timeout_after", "reset_after", "conflict", "busy", "cut_after"]
)
def test_when_an_attempt_fails_then_the_next_one_under_the_same_key_is_the_same_charge(
    by_number, patient, failure
):
    by_number.fail(failure)
    request = asked(by_number)

    outcome = calls.charge(by_number.processor, request)

    assert isinstance(outcome, Succeeded)
    assert by_number.charged(request.key) == 2500
    keys = {r.headers["idempotency-key"] for r in by_number.stripe.asked("POST", "/v1/payment_intents")}
    assert keys == {request.key}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_when_stripe_keeps_its_500_for_the_key_then_it_is_unknown_and_looked_up(by_number, patient, moment):
    by_number.fail(f"error_{moment}")
    request = asked(by_number)

    outcome = calls.charge(by_number.processor, request)

    assert outcome == Unknown(reason="http_500")
    assert len(by_number.stripe.asked("POST", "/v1/payment_intents")) == 3
    found = calls.find_charge(by_number.processor, key=request.key)
    assert isinstance(found, NotFound if moment == "before" else Succeeded)


@pytest.mark.parametrize("refusal", ["busy", "later"])
def test_when_a_refusal_follows_silence_then_it_does_not_say_that_nothing_was_charged(
    by_number, patient, refusal
):
    by_number.fail("timeout_after", refusal, refusal)
    request = asked(by_number)

    outcome = calls.charge(by_number.processor, request)

    assert isinstance(outcome, Unknown)
    assert by_number.charged(request.key) == 2500


def test_when_stripe_is_busy_for_long_then_nothing_was_charged(by_number, patient):
    by_number.fail("later", "later", "later")
    request = asked(by_number)

    with pytest.raises(ProcessorUnavailable):
        calls.charge(by_number.processor, request)

    assert by_number.charged(request.key) == 0


def test_when_there_are_many_charges_of_that_time_then_ours_is_found_on_a_later_page(by_number):
    request = asked(by_number)
    calls.charge(by_number.processor, request)
    for _ in range(130):
        by_number.stripe.made("payment_intent", "pi", created=int(by_number.stripe.clock_s()), metadata={})

    assert isinstance(calls.find_charge(by_number.processor, key=request.key), Succeeded)


def test_when_there_are_too_many_to_look_through_then_it_is_unknown_and_not_missing(by_number, monkeypatch):
    monkeypatch.setattr(stripe, "MOST_PAGES", 1)
    request = asked(by_number)
    calls.charge(by_number.processor, request)
    for _ in range(130):
        by_number.stripe.made("payment_intent", "pi", created=int(by_number.stripe.clock_s()), metadata={})

    assert isinstance(calls.find_charge(by_number.processor, key=request.key), Unknown)


def test_when_a_reference_leads_to_another_charge_then_ours_is_looked_for_by_its_key(by_number):
    other, request = charged(by_number), asked(by_number, amount=700)
    ours = calls.charge(by_number.processor, request)

    assert calls.find_charge(by_number.processor, key=request.key, reference=other.reference) == ours


def test_when_the_bank_takes_its_time_over_a_refund_then_it_is_unknown_until_decided(by_number):
    request = refund_of(charged(by_number, REFUND_TAKES_TIME))

    first = calls.refund(by_number.processor, request)
    later = calls.find_refund(by_number.processor, key=request.key, charge_reference=request.charge_reference)

    assert first == Unknown(reason="refund_pending", is_answered=True)
    assert isinstance(later, Succeeded)


def test_when_a_disputed_charge_is_refunded_then_stripe_declines(by_number):
    request = refund_of(charged(by_number, IS_DISPUTED))

    outcome = calls.refund(by_number.processor, request)

    assert isinstance(outcome, Declined)
    assert outcome.decline_code == "charge_disputed"
    assert by_number.refunded(request.key) == 0


def disputed(world: World, number: str = IS_DISPUTED) -> tuple[Succeeded, str]:
    charge = charged(world, number)
    return charge, next(
        known["id"]
        for known in world.stripe.objects.values()
        if known["object"] == "dispute" and known["payment_intent"] == charge.reference
    )


def test_when_funds_are_withdrawn_then_the_facts_say_so_and_again_when_they_are_back(by_number):
    charge, dispute_id = disputed(by_number)
    whole, none = Money(2500, "USD"), Money(0, "USD")

    taken = calls.find_dispute(by_number.processor, reference=dispute_id)
    by_number.stripe.decide(dispute_id, "won")
    back = calls.find_dispute(by_number.processor, reference=dispute_id)

    assert taken == DisputeFacts(
        reference=dispute_id,
        charge_reference=charge.reference,
        amount=whole,
        withdrawn=whole,
        stage=DisputeStage.OPEN,
        reason="fraudulent",
    )
    assert isinstance(back, DisputeFacts)
    assert (back.withdrawn, back.stage) == (none, DisputeStage.WON)


def test_when_it_is_settled_in_another_currency_then_all_or_nothing_of_it_is_withdrawn(by_number):
    _, dispute_id = disputed(by_number)
    by_number.stripe.objects[dispute_id]["balance_transactions"][0] |= {"currency": "eur", "amount": -2311}

    facts = calls.find_dispute(by_number.processor, reference=dispute_id)

    assert isinstance(facts, DisputeFacts)
    assert facts.withdrawn == Money(2500, "USD")


def test_when_the_bank_only_inquires_then_no_money_has_moved(by_number):
    _, dispute_id = disputed(by_number, IS_INQUIRED)

    facts = calls.find_dispute(by_number.processor, reference=dispute_id)

    assert isinstance(facts, DisputeFacts)
    assert (facts.stage, facts.withdrawn) == (DisputeStage.INQUIRY, Money(0, "USD"))


def test_when_a_dispute_names_its_charge_alone_then_the_charge_tells_whose_it_is(by_number):
    charge, dispute_id = disputed(by_number)
    by_number.stripe.objects[dispute_id]["payment_intent"] = None

    facts = calls.find_dispute(by_number.processor, reference=dispute_id)

    assert isinstance(facts, DisputeFacts)
    assert facts.charge_reference == charge.reference


def test_when_a_dispute_is_unknown_then_there_is_none(by_number):
    assert calls.find_dispute(by_number.processor, reference="dp_unknown") == NotFound()


def test_when_the_proxy_charges_then_stripe_gets_the_number_and_we_never_had_it(proxied):
    request = asked(proxied)

    calls.charge(proxied.processor, request)

    assert sent_by(proxied)["payment_method_data"]["card"]["number"] == SUCCEEDS
    ours = proxied.proxy.asked("POST", "/proxy")[-1]
    assert SUCCEEDS not in ours.body.decode()
    assert ours.headers["idempotency-key"] == request.key


def phone_of(world: World) -> ReferenceForCharge:
    made = world.proxy.create_apple_pay({"apple_payment_data": {"paymentData": {"version": "EC_v1"}}})
    ref = f"apple_pay:{made['apple_pay']['id']}"
    return ReferenceForCharge(token_id=uuid7(), provider="basis_theory", ref=ref)


def test_when_the_proxy_charges_a_phone_for_the_first_time_then_its_proof_goes_along(proxied):
    calls.charge(proxied.processor, asked(proxied, source=phone_of(proxied), is_first_charge=True))

    sent = sent_by(proxied)
    assert sent["payment_method_data"]["card"]["network_token"] == {
        "number": SUCCEEDS,
        "exp_month": "12",
        "exp_year": "2030",
        "tokenization_method": "apple_pay",
    }
    assert sent["payment_method_options"]["card"]["network_token"] == {
        "cryptogram": CRYPTOGRAM,
        "electronic_commerce_indicator": "07",
    }


def test_when_the_proxy_charges_a_phone_again_then_it_goes_without_the_proof(proxied):
    calls.charge(proxied.processor, asked(proxied, source=phone_of(proxied)))

    assert "payment_method_options" not in sent_by(proxied)


def test_when_stripe_is_too_slow_for_the_proxy_then_its_408_is_unknown(proxied):
    proxied.proxy.patience_s = 0.2
    proxied.stripe.fail_next("timeout_after")
    request = asked(proxied)

    outcome = calls.charge(proxied.processor, request)

    assert outcome == Unknown(reason="proxy_408")
    assert isinstance(calls.find_charge(proxied.processor, key=request.key), Succeeded)


def test_when_the_proxy_gives_up_once_then_the_retry_under_stripes_key_is_the_same_charge(proxied, patient):
    proxied.proxy.patience_s = 0.2
    proxied.stripe.fail_next("timeout_after")
    request = asked(proxied)

    outcome = calls.charge(proxied.processor, request)

    assert isinstance(outcome, Succeeded)
    assert proxied.charged(request.key) == 2500


@pytest.mark.parametrize("missing", ["item", "permission", "key"])
def test_when_the_proxy_refuses_by_itself_then_nothing_was_charged(proxied, settings, missing):
    request = asked(proxied)
    if missing == "item":
        proxied.proxy.items.clear()
    elif missing == "permission":
        proxied.proxy.permissions.remove("proxy:invoke")
    else:
        settings.BASIS_THEORY_API_KEY = "key_us_wrong"

    with pytest.raises(ProcessorFailed):
        calls.charge(proxied.processor, request)

    assert proxied.stripe.asked("POST", "/v1/payment_intents") == []


def test_when_a_refusal_of_the_proxy_follows_silence_then_it_is_unknown(proxied, patient):
    request = asked(proxied)
    proxied.proxy.fail_next("timeout_after")
    answer = proxied.proxy.answer

    def refuse_the_second(received: Any) -> Any:
        if len(proxied.proxy.asked("POST", "/proxy")) > 1:
            proxied.proxy.permissions.discard("proxy:invoke")
        return answer(received)

    proxied.proxy.answer = refuse_the_second  # type: ignore[method-assign]

    outcome = calls.charge(proxied.processor, request)

    assert outcome == Unknown(reason="proxy_403")
    assert proxied.charged(request.key) == 2500


@pytest.mark.parametrize("ref", ["token:a}} {{ token: b", "token:", "nothing", "token:a b"])
def test_when_a_reference_could_be_read_as_an_expression_then_it_is_refused(proxied, ref):
    source = ReferenceForCharge(token_id=uuid7(), provider="basis_theory", ref=ref)

    with pytest.raises(ProcessorFailed):
        calls.charge(proxied.processor, asked(proxied, source=source))

    assert proxied.proxy.asked("POST", "/proxy") == []


def test_when_the_vault_is_another_one_then_the_processors_say_what_they_can_charge():
    assert stripe.StripeProcessor().charge_by(vault="stripe") == "reference"
    assert stripe.StripeProcessor().charge_by(vault="local") == "card"
    assert basis_theory_proxy.BasisTheoryProxyProcessor().charge_by(vault="basis_theory") == "reference"
    with pytest.raises(ProcessorFailed):
        basis_theory_proxy.BasisTheoryProxyProcessor().charge_by(vault="local")
