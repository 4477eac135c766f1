"""Saved cards in the back office."""

import pytest
from django.contrib import admin
from django.test import RequestFactory

from tests.tokens.conftest import NOW
from tokens.admin import PaymentTokenScreen
from tokens.models import FingerprintKey, PaymentToken, VaultedCard
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def screen() -> PaymentTokenScreen:
    return PaymentTokenScreen(PaymentToken, admin.site)


def token_of(owner: User, **facts) -> PaymentToken:
    return PaymentToken.objects.create(
        **{
            "user": owner,
            "type": "card",
            "brand": "visa",
            "last4": "4242",
            "exp_month": 12,
            "exp_year": 2030,
            "fingerprint": "f" * 32,
            "provider": "local",
            "provider_ref": "v1.a.b.c",
            "provider_ref_hmac": "0" * 32,
            "created_at": NOW,
            **facts,
        }
    )


@pytest.mark.parametrize("by", ["id", "owner's id", "e-mail", "E-MAIL", "last4", "fingerprint"])
def test_when_a_token_is_searched_then_it_alone_is_found(alice, bob, screen, by):
    wanted = token_of(alice, last4="9995", fingerprint="0123456789abcdef" * 2)
    token_of(bob)
    term = {
        "id": str(wanted.id),
        "owner's id": str(alice.id),
        "e-mail": f" {alice.email} ",
        "E-MAIL": alice.email.upper(),
        "last4": "9995",
        "fingerprint": wanted.fingerprint,
    }[by]

    found, has_duplicates = screen.get_search_results(
        None, PaymentToken.objects.filter(user__in=[alice, bob]), term
    )

    assert (list(found), has_duplicates) == ([wanted], False)


def test_when_nothing_is_searched_then_all_are_listed(alice, screen):
    token = token_of(alice)

    found, _ = screen.get_search_results(None, PaymentToken.objects.filter(user=alice), " ")

    assert list(found) == [token]


def test_when_a_member_of_staff_looks_then_nothing_can_be_changed_and_nothing_sealed_is_shown(alice, screen):
    request = RequestFactory().get("/admin/")
    token = token_of(alice)

    shown = {*screen.get_readonly_fields(request), *screen.get_list_display(request)}

    assert not shown & {"provider_ref", "provider_ref_hmac"}
    assert screen.get_queryset(request).get(id=token.id).get_deferred_fields() == {
        "provider_ref",
        "provider_ref_hmac",
    }
    assert screen.has_add_permission(request) is False
    assert screen.has_change_permission(request, token) is False
    assert screen.has_delete_permission(request, token) is False
    assert screen.owner(token) == f'<a href="/admin/customers/{alice.id}/">a•••@saved.example</a>'
    assert screen.expiry(token) == "12/2030"
    assert screen.status_now(token) == '<span class="state state-active">active</span>'


def test_when_the_back_office_is_listed_then_vault_and_key_are_not_in_it():
    assert admin.site.is_registered(VaultedCard) is False
    assert admin.site.is_registered(FingerprintKey) is False
