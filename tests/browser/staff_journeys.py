"""What staff come for, as they do it."""

from tests.browser.desk import Desk, Journey


def why_is_the_balance_what_it_is(desk: Desk) -> None:
    """A customer writes from their address and asks; support finds the lines that make the balance."""
    desk.log_in("support")
    desk.press("/")
    desk.type(desk.scene.customer_email)
    desk.press("Enter")
    desk.click("main .hits a:has-text('EUR')")
    desk.is_at(desk.scene.ids["wallet"])
    desk.click("main a:has-text('Explain')")
    desk.sees("They sum to the balance")
    desk.has(".state-agrees")


def a_second_person_approves_a_refund(desk: Desk) -> None:
    """Support has asked for a refund; finance looks at what it changes, and approves it by keys alone."""
    desk.log_in("finance")
    desk.press("g r")
    desk.is_at("/admin/refunds/")
    desk.press("j")
    desk.press("Enter")
    desk.is_at("/admin/refunds/[0-9a-f-]{36}")
    desk.sees("What it changes")
    desk.press("a")
    desk.has(".messages .success")


def what_was_this_order(desk: Desk) -> None:
    """A customer quotes the reference of an order; its transfer is there with both sides."""
    desk.log_in("support")
    desk.press("/")
    desk.type(desk.scene.reference)
    desk.press("Enter")
    desk.click("main .hits a")
    desk.sees("Coffee beans, 1 kg")


def an_id_is_opened_at_once(desk: Desk) -> None:
    """Whoever pastes an id is on its page."""
    desk.log_in("finance")
    desk.press("/")
    desk.type(desk.scene.ids["payment"])
    desk.press("Enter")
    desk.is_at(f"/admin/payments/{desk.scene.ids['payment']}/")


def everything_goes_by_keys(desk: Desk) -> None:
    """To a list, down its rows, into one, and to what the keys are."""
    desk.log_in("admin")
    desk.press("g w")
    desk.is_at("/admin/wallets/")
    desk.press("j")
    desk.has("tr[data-marked]:nth-child(1)")
    desk.press("j")
    desk.has("tr[data-marked]:nth-child(2)")
    desk.press("k")
    desk.has("tr[data-marked]:nth-child(1)")
    desk.press("?")
    desk.has("#key-help[open]")
    desk.press("Escape")
    desk.has("#key-help:not([open])")
    desk.press("Enter")
    desk.is_at("/admin/wallets/?.*[0-9a-f-]{36}")


def times_are_shown_where_somebody_is(desk: Desk) -> None:
    """The zone is switched for the session, and holds on the next page."""
    desk.log_in("support")
    desk.click(".zone summary")
    desk.click(".zone button[value='Asia/Kolkata']")
    desk.has(".zone summary:has-text('Asia/Kolkata')")
    desk.press("g w")
    desk.has(".zone summary:has-text('Asia/Kolkata')")


def the_refund_queue_goes_by_keys_alone(desk: Desk) -> None:
    """The mouse isn't touched: down and up the queue, one approved in its row, one rejected for a reason."""
    desk.log_in("admin", by_keys=True)
    desk.press("g r")
    desk.is_at("/admin/refunds/")
    waiting = desk.count("table.queue tbody tr")
    desk.press("j")
    desk.press("j")
    desk.press("k")
    desk.has("tbody tr[data-marked]:nth-child(1)")
    desk.press("a")
    desk.has(".messages .success")
    desk.press("g r")
    desk.press("j")
    desk.press("r")
    desk.has("#reason:focus")
    desk.type("The order was delivered")
    desk.press("Enter")
    desk.has(".messages .success")
    desk.press("g r")
    desk.has_as_many("table.queue tbody tr", waiting - 2)


def a_trap_is_nowhere(desk: Desk) -> None:
    """Tab alone leads through the queue from the skip link to its last button, always with the focus to be seen."""
    desk.log_in("finance", by_keys=True)
    desk.press("g r")
    desk.is_at("/admin/refunds/")
    desk.press("Tab")
    desk.has(".skip-link:focus")
    desk.press("Enter")
    desk.has("main:focus")
    desk.tab_until("[name=decision][value=reject]", most=80)


STAFF_JOURNEYS = (
    Journey("why is the balance what it is", why_is_the_balance_what_it_is, most_clicks=10),
    Journey("a second person approves a refund", a_second_person_approves_a_refund, most_clicks=10),
    Journey("the refund queue goes by keys alone", the_refund_queue_goes_by_keys_alone, most_clicks=14),
    Journey("a trap is nowhere", a_trap_is_nowhere, most_clicks=5),
    Journey("what was this order", what_was_this_order, most_clicks=4),
    Journey("an id is opened at once", an_id_is_opened_at_once, most_clicks=3),
    Journey("everything goes by keys", everything_goes_by_keys, most_clicks=8),
    Journey("times are shown where somebody is", times_are_shown_where_somebody_is, most_clicks=4),
)
