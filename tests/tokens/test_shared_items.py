"""One item of a vault for two tokens: whoever deletes and whoever saves at the same moment never hurt each other."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from django.db import connection, transaction

from tests.factories.people import CustomerFactory
from tests.tokens.conftest import NOW
from tests.tokens.test_mobile_tokens import ENCRYPTED
from tests.tokens.test_tokenization import keyed, rows, saved
from tokens.models import PaymentToken
from tokens.refusals import VaultUnavailable
from tokens.sweeping import sweep_vault
from tokens.tokenization import delete_token, keep_mobile, write_kept
from tokens.vaults.contract import VaultedInstrument


def delete(token: PaymentToken) -> None:
    delete_token(token_id=token.id, owner_id=token.user_id, actor="user:test", call=keyed())


@pytest.mark.django_db
def test_when_a_card_is_saved_while_its_item_is_destroyed_then_it_is_refused_and_works_later(
    alice, bob, remote_vault, clock, monkeypatch
):
    token = saved(alice)
    before = rows()
    refused = []
    destroy = remote_vault.destroy

    def destroy_meanwhile(self, *, ref):
        monkeypatch.setattr(remote_vault, "destroy", destroy)
        with pytest.raises(VaultUnavailable) as unavailable:
            saved(bob)
        refused.append(unavailable.value.detail)
        destroy(self, ref=ref)

    monkeypatch.setattr(remote_vault, "destroy", destroy_meanwhile)
    delete(token)
    clock(NOW + timedelta(seconds=1))

    assert refused == ["The same card is being deleted. Try again with the same key."]
    assert rows()["tokens"] == before["tokens"]
    assert saved(bob).provider_ref_hmac == token.provider_ref_hmac
    assert remote_vault.items == {"tok_4242"}


@pytest.mark.django_db
def test_when_destroying_failed_then_the_item_takes_no_new_token_until_the_sweep(
    alice, bob, remote_vault, clock
):
    token = saved(alice)
    clock(NOW + timedelta(seconds=1))
    remote_vault.is_down = True
    delete(token)
    remote_vault.is_down = False

    with pytest.raises(VaultUnavailable):
        saved(bob)

    token.refresh_from_db()
    assert (token.destroying_at, token.destroyed_at) == (NOW + timedelta(seconds=1), None)
    assert sweep_vault() == 1
    clock(NOW + timedelta(seconds=2))
    assert saved(bob).status == "active"


def test_when_a_token_is_written_first_then_who_destroys_waits_and_leaves_the_item(
    committed, remote_vault, monkeypatch
):
    def shared(self, *, token_id, payload, now):
        self.items.add("tok_shared")
        return VaultedInstrument(ref="tok_shared", brand="visa", last4="4242", exp_month=12, exp_year=2030)

    monkeypatch.setattr(remote_vault, "store_mobile", shared)
    owner = CustomerFactory()
    first = keep_mobile(owner_id=owner.id, payload=ENCRYPTED)
    with transaction.atomic():
        write_kept(first, actor="user:test")
    second = keep_mobile(owner_id=owner.id, payload=ENCRYPTED)
    is_written, may_commit = Event(), Event()

    def write() -> None:
        with transaction.atomic():
            write_kept(second, actor="user:test")
            is_written.set()
            may_commit.wait(10)
        connection.close()

    def destroy() -> None:
        is_written.wait(10)
        delete(first)
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(write), pool.submit(destroy)]
        is_written.wait(10)
        while not waits_for_its_turn():
            assert not runs[1].done(), "whoever destroys did not wait"
        may_commit.set()
        for run in runs:
            run.result(10)

    assert remote_vault.items == {"tok_shared"}
    assert PaymentToken.objects.get(id=first.id).destroyed_at is not None
    assert PaymentToken.objects.get(id=first.id).destroying_at is None


def waits_for_its_turn() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", ())
        return cursor.fetchone()[0] > 0
