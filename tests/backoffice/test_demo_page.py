"""The demo client: there in the sandbox alone, with a policy of its own, and a password for its owner alone."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from backoffice.demo_page import PEOPLE
from tests.backoffice.test_markup import Offences
from tests.factories.money import new_wallet
from tests.factories.people import CustomerFactory
from tests.gateway.test_security_headers import PAGE_POLICY, policy

pytestmark = pytest.mark.django_db

SCRIPTS = Path(settings.BASE_DIR) / "backoffice" / "static" / "demo"


def facts_in(page: Any) -> dict[str, Any]:
    found = re.search(r'data-facts="([^"]*)"', page.content.decode())
    assert found is not None
    facts: dict[str, Any] = json.loads(html.unescape(found[1]))
    return facts


@pytest.mark.parametrize("path", ["/demo/", "/demo"])
def test_when_it_isn_t_the_sandbox_then_there_is_no_demo(settings, path):
    settings.SANDBOX = False

    assert Client().get(path).status_code == 404


def test_when_no_merchant_id_is_configured_then_nothing_comes_from_another_host(settings):
    settings.APPLE_PAY_MERCHANT_ID = settings.GOOGLE_PAY_MERCHANT_ID = ""

    page = Client().get("/demo/")

    facts = facts_in(page)
    assert policy(page["Content-Security-Policy"]) == {**PAGE_POLICY, "frame-src": "'self'"}
    assert (facts["apple_pay"], facts["google_pay"]) == (None, None)
    assert Offences(page.content.decode()).found == []


@pytest.mark.parametrize(
    ("configured", "script_hosts", "styles"),
    [
        ({"APPLE_PAY_MERCHANT_ID": "merchant.com.example"}, "https://applepay.cdn-apple.com", "'self'"),
        ({"GOOGLE_PAY_MERCHANT_ID": "BCR2"}, "https://pay.google.com", "'self' 'unsafe-inline'"),
    ],
    ids=["apple", "google"],
)
def test_when_a_merchant_id_is_configured_then_its_script_alone_may_be_loaded(
    settings, configured, script_hosts, styles
):
    settings.APPLE_PAY_MERCHANT_ID = settings.GOOGLE_PAY_MERCHANT_ID = ""
    for name, value in configured.items():
        setattr(settings, name, value)

    page = Client().get("/demo/")

    found = policy(page["Content-Security-Policy"])
    assert (found["script-src"], found["style-src"]) == (f"'self' {script_hosts}", styles)
    assert found["default-src"] == "'none'"
    assert page["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert page["Permissions-Policy"] == 'payment=(self "https://pay.google.com")'
    # The hosts stand in the policy; the page itself fetches nothing before its script asks.
    assert Offences(page.content.decode()).found == []


def test_when_other_pages_are_opened_then_their_policy_stays_strict(settings):
    settings.APPLE_PAY_MERCHANT_ID, settings.GOOGLE_PAY_MERCHANT_ID = "merchant.com.example", "BCR2"

    assert policy(Client().get("/")["Content-Security-Policy"]) == PAGE_POLICY


@pytest.mark.parametrize(
    ("headers", "is_filled_in"),
    [
        ({}, True),
        ({"REMOTE_ADDR": "203.0.113.9"}, False),
        ({"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, False),
        ({"HTTP_FORWARDED": "for=203.0.113.9"}, False),
    ],
    ids=["this machine", "elsewhere", "behind a proxy", "behind another proxy"],
)
def test_when_the_browser_runs_elsewhere_then_it_isn_t_told_the_password(settings, headers, is_filled_in):
    settings.DEMO_PASSWORD = "told-at-the-start"

    page = Client().get("/demo/", **headers).content.decode()

    assert ("told-at-the-start" in page) == is_filled_in
    assert 'value="alice@example.com"' in page


def test_when_the_customers_have_wallets_then_the_page_knows_where_to_send_money():
    alice, bob = (CustomerFactory.create(email=email, name=email[:3]) for email in PEOPLE)
    wallet_id = new_wallet(owner=bob, currency="EUR")

    people = facts_in(Client().get("/demo/"))["people"]

    assert people == [
        {"email": alice.email, "name": "ali", "wallets": {}},
        {"email": bob.email, "name": "bob", "wallets": {"EUR": str(wallet_id)}},
    ]


def test_when_the_scripts_are_read_then_they_write_no_markup_and_name_no_other_host():
    texts = {script.name: script.read_text() for script in SCRIPTS.glob("*.js")}

    hosts = {host for text in texts.values() for host in re.findall(r"https?://[a-z0-9.-]+", text)}
    assert len(texts) >= 10
    assert [
        name for name, text in texts.items() if re.search(r"\.innerHTML|insertAdjacentHTML|eval\(", text)
    ] == []
    assert hosts == {"https://applepay.cdn-apple.com", "https://pay.google.com", "http://www.w3.org"}
