"""Webhooks in the back office and on the command line: the same redelivery as over the API."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from events import relay
from events.models import AuditEntry, WebhookDelivery, WebhookEndpoint
from events.signing import PREFIX
from tests.events.receivers import endpoint_for, secret_of
from tests.factories.money import new_wallet
from tests.factories.people import someone
from users.models import User

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:9/hooks"


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return endpoint_for(URL, event_types=["wallet.created"])


@pytest.fixture
def delivery(endpoint) -> WebhookDelivery:
    """One that has succeeded."""
    new_wallet()
    relay.publish_waiting()
    found = WebhookDelivery.objects.get(endpoint_id=endpoint.id)
    found.status, found.attempts, found.due_at, found.finished_at = "succeeded", 1, None, timezone.now()
    found.log = [{"at": "2026-10-01T12:00:00Z", "status": 200, "response_body": "<b>noted</b>"}]
    found.save()
    return found


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page_of(client: Client, model: str, key: object) -> str:
    answer = client.get(f"/admin/events/{model}/{key}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def redeliver_url(delivery: WebhookDelivery) -> str:
    return f"/admin/events/webhookdelivery/{delivery.id}/redeliver/"


def test_when_staff_open_an_endpoint_then_they_see_its_deliveries_and_no_secret(endpoint, delivery):
    page = page_of(browser_of(someone("support")), "webhookendpoint", endpoint.id)

    assert URL in page
    assert str(delivery.event_id) in page
    secret = secret_of(endpoint)
    assert all(text not in page for text in (secret, secret.removeprefix(PREFIX), endpoint.sealed_secret))


def test_when_a_delivery_is_opened_then_its_attempts_are_shown_as_text(delivery):
    page = page_of(browser_of(someone("admin")), "webhookdelivery", delivery.id)

    assert "&lt;b&gt;noted&lt;/b&gt;" in page
    assert f'action="{redeliver_url(delivery)}"' in page


def test_when_an_admin_asks_then_the_delivery_is_due_again_and_the_trail_says_who(delivery):
    admin = someone("admin")

    answer = browser_of(admin).post(redeliver_url(delivery), follow=True)

    delivery.refresh_from_db()
    assert "It is due now and will be sent again." in answer.content.decode()
    assert (delivery.status, delivery.attempts, delivery.attempts_before) == ("pending", 1, 1)
    entry = AuditEntry.objects.get(object_id=str(delivery.id), action="webhook_delivery.redelivered")
    assert (entry.actor, entry.from_state, entry.to_state) == (f"admin:{admin.id}", "succeeded", "pending")


@pytest.mark.parametrize("role", ["support", "finance", "auditor"])
def test_when_somebody_else_asks_then_nothing_is_sent_again(delivery, role):
    client = browser_of(someone(role))

    page = page_of(client, "webhookdelivery", delivery.id)
    answer = client.post(redeliver_url(delivery))

    delivery.refresh_from_db()
    assert redeliver_url(delivery) not in page
    assert (answer.status_code, delivery.status) == (403, "succeeded")


def test_when_it_is_not_posted_then_nothing_is_sent_again(delivery):
    answer = browser_of(someone("admin")).get(redeliver_url(delivery))

    delivery.refresh_from_db()
    assert (answer.status_code, delivery.status) == (405, "succeeded")


def test_when_a_command_asks_then_each_delivery_that_is_there_is_due_again(delivery, capsys):
    missing = uuid7()

    with pytest.raises(CommandError, match=str(missing)):
        call_command("redeliver_webhook", str(missing), str(delivery.id))

    delivery.refresh_from_db()
    assert capsys.readouterr().out == f"{delivery.id} is due now.\n"
    assert (delivery.status, delivery.attempts_before) == ("pending", 1)
    entry = AuditEntry.objects.get(object_id=str(delivery.id))
    assert (entry.action, entry.actor) == ("webhook_delivery.redelivered", "command")
