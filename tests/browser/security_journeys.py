"""How staff come in and show who they are, as they do it."""

from uuid import uuid4

from tests.browser.authenticator import code_of
from tests.browser.desk import Desk, Journey
from tests.browser.pages import PROOF_LASTS_S

NEW_PASSWORD = "a quite new horse of mine"


def an_approval_asks_who_it_is(desk: Desk) -> None:
    """Finance has looked at a refund for a while; approving it asks for the password, and then does what was asked."""
    desk.log_in("finance")
    desk.press("g r")
    desk.is_at("/admin/refunds/")
    desk.press("j")
    desk.has("tr[data-marked]")
    desk.press("Enter")
    desk.is_at("/admin/refunds/[0-9a-f-]{36}")
    desk.sees("What it changes")
    desk.waits(PROOF_LASTS_S + 1)
    desk.press("a")
    desk.sees("Is it you?")
    desk.fill("#proof", "not my password")
    desk.click("main button[type=submit]")
    desk.has("main .refusal")
    desk.fill("#proof", desk.password)
    desk.click("main button[type=submit]")
    desk.has(".messages .success")


def somebody_new_enrols_an_authenticator(desk: Desk) -> None:
    """An administrator invites a colleague, who chooses a password, enrols an authenticator and logs in with its code."""
    email = f"new-{uuid4().hex[:8]}@example.com"
    desk.log_in("admin")
    desk.press("g q")
    desk.click(".head-actions a")
    desk.fill("#email", email)
    desk.fill("#reason", "Starts on Monday")
    desk.click("main button[type=submit]")
    link = desk.reads(".enrolment-secret")
    desk.click(".person summary")
    desk.click(".person form button")
    desk.opens(link[link.index("/admin/") :])
    desk.fill("#new-password", NEW_PASSWORD)
    desk.fill("#again", NEW_PASSWORD)
    desk.click("main button[type=submit]")
    _log_in(desk, email)
    desk.opens("/admin/account/")
    desk.click("main .panel:first-of-type a.button")
    desk.click("main form button[type=submit]")
    secret = desk.reads(".enrolment-secret")
    desk.has("main svg[role=img] path")
    desk.fill("#code", code_of(secret))
    desk.click("main form .button-main")
    desk.sees("they are shown this once")
    desk.click("main a.button-main")
    desk.click(".person summary")
    desk.click(".person form button")
    _log_in(desk, email)
    desk.sees("Your code")
    desk.fill("#code", code_of(secret, later=1))
    desk.click("main button[type=submit]")
    desk.has(".person-name")


def _log_in(desk: Desk, email: str) -> None:
    desk.opens("/admin/login/?next=/admin/")
    desk.fill("input[name=username]", email)
    desk.fill("input[name=password]", NEW_PASSWORD)
    desk.click("main button[type=submit]")


SECURITY_JOURNEYS = (
    Journey("an approval asks who it is", an_approval_asks_who_it_is, most_clicks=8),
    Journey("somebody new enrols an authenticator", somebody_new_enrols_an_authenticator, most_clicks=20),
)
