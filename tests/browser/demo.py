"""A customer's way through the demo client: by both phones, by card, to a friend, and what is said of each call."""

import re
from pathlib import Path
from typing import Any

from tests.browser.pages import Report, is_too_wide, watch

DECLINED = "4000000000000002"
WAITS_FOR_MS = 15_000


class Demo:
    """The demo page, as somebody clicks through it."""

    def __init__(self, page: Any, name: str, report: Report, pictures: Path | None) -> None:
        self.page = page
        self.name = name
        self.report = report
        self.pictures = pictures
        page.set_default_timeout(WAITS_FOR_MS)

    def expect(self, what: str, *, found: object, wanted: object) -> None:
        """Note a fault where something isn't as it should be."""
        if found != wanted:
            self.report.faults.append(f"{self.name}: {what} is {found!r}, not {wanted!r}")

    def picture(self, name: str) -> None:
        """Keep a picture, and see that the page isn't wider than the screen."""
        if is_too_wide(self.page):
            self.report.faults.append(f"{self.name}: {name} is wider than the screen")
        if self.pictures:
            self.page.screenshot(path=str(self.pictures / f"{self.name}-{name}.png"))
        self.report.opened += 1

    def balance(self) -> str:
        """Read what the wallet shows once it has stopped counting."""
        self.page.wait_for_function(
            "() => { const shown = document.getElementById('balance').textContent;"
            " const same = shown === window.shownBefore; window.shownBefore = shown; return same; }",
            polling=400,
        )
        return str(self.page.text_content("#balance"))

    def wait_for_balance(self, wanted: str) -> None:
        """Wait until the wallet shows an amount."""
        self.page.wait_for_function(
            "wanted => document.getElementById('balance').textContent === wanted", arg=wanted
        )

    def log_in(self, base_url: str, email: str, password: str) -> None:
        """Log in by the form, and open a wallet where there is none."""
        self.page.goto(f"{base_url}/demo/")
        self.page.wait_for_selector("#login-submit:enabled")
        self.expect("the e-mail", found=self.page.input_value("#login-email"), wanted="alice@example.com")
        self.expect("the password", found=self.page.input_value("#login-password"), wanted=password)
        self.picture("login")
        self.page.fill("#login-email", email)
        self.page.click("#login-submit")
        self.page.wait_for_selector("#balance, #open-USD")
        if self.page.query_selector("#open-USD"):
            self.page.click("#open-USD")
            self.page.wait_for_selector("#balance")
        self.page.wait_for_selector("#history-list li, #history-empty:not([hidden])")

    def pay_by_phone(self, scheme: str, *, card: str = "") -> None:
        """Pay the amount that is there with a simulated phone, and wait until it is put away."""
        self.page.click(f"#pay-{scheme}")
        self.page.wait_for_selector("#phone[open]")
        if card:
            self.page.select_option("#phone-card", card)
        self.picture(f"{scheme}-phone")
        self.page.click("#phone-confirm")
        self.page.wait_for_selector("#phone:not([open])", state="attached")

    def ask_for_a_refund(self, amount: str) -> None:
        """Ask for a part of the newest deposit back, and take the request back."""
        self.page.click("#refunds summary")
        self.page.wait_for_selector("#refund-form:not([hidden])")
        self.page.fill("#refund-form input[name=amount]", amount)
        self.page.fill("#refund-form input[name=notes]", "Too much")
        self.page.click("#refund-form button[type=submit]")
        self.page.wait_for_selector("#refund-list li:first-child .state-pending")
        self.picture("refund")
        self.page.click("#refund-list li:first-child button")
        self.page.wait_for_selector("#refund-list li:first-child .state-cancelled")
        self.page.click("#refunds summary")

    def top_up_by_itself(self, *, balance: int) -> None:
        """Agree to a rule that the next payment sets off, and let a month with a scheduled one pass."""
        # Whether there is a rule is an answer too.
        self.report.expected.add(404)
        self.page.click("#top-up summary")
        self.page.wait_for_selector("#top-up-save:enabled")
        self.report.expected.clear()
        self.page.fill("#top-up-form input[name=threshold]", str(balance))
        self.page.fill("#top-up-form input[name=amount]", "25")
        self.page.select_option("#top-up-schedule", "month:1")
        self.page.click("#top-up-save")
        self.page.wait_for_selector("#top-up-actions:not([hidden])")
        self.page.click("#send-submit")
        self.wait_for_balance(f"${balance + 20:,}.00")
        self.page.wait_for_selector("#history-list li:has-text('Automatic top-up')")
        self.picture("topped-up")
        self.page.click("#top-up-month")
        self.page.wait_for_selector(".toast-good:has-text('A month has passed: topped up')")
        self.page.click("#top-up-remove")
        self.page.wait_for_selector("#top-up-actions[hidden]", state="attached")

    def last_calls(self, count: int) -> list[str]:
        """Read the newest calls, oldest first: `POST /payment/apple-pay/init 201`."""
        calls = self.page.eval_on_selector_all(
            "#calls-list .call",
            "calls => calls.map(call => ['.method', '.path', '.status']"
            ".map(part => call.querySelector(part).textContent).join(' '))",
        )
        return [re.sub(r"/[0-9a-f]{4}…[0-9a-f]{4}", "/…", call) for call in calls[:count]][::-1]


def walk_through(
    browser: Any, *, base_url: str, password: str, size: str, theme: str, viewport: dict[str, int], report: Report,
    pictures: Path | None = None,
) -> None:  # fmt: skip
    """Do on the demo page what it is there for, as a customer of this size's own."""
    context = browser.new_context(viewport=viewport, color_scheme=theme)
    page = context.new_page()
    watch(page, f"demo ({size}, {theme})", report)
    demo = Demo(page, f"demo-{size}-{theme}", report, pictures)
    demo.log_in(base_url, "alice@example.com", password)
    start = round(float(re.sub(r"[^0-9.]", "", demo.balance())))

    demo.pay_by_phone("apple-pay")
    demo.wait_for_balance(f"${start + 25:,}.00")
    demo.expect(
        "Apple Pay",
        found=demo.last_calls(4),
        wanted=[
            "POST /payment/apple-pay/init 201",
            "POST /sandbox/devices/apple-pay 200",
            "POST /payment/apple-pay/process 201",
            "GET /wallet/…/transactions?limit=8 200",
        ],
    )
    page.check("#save-phone-card")
    demo.pay_by_phone("google-pay")
    demo.wait_for_balance(f"${start + 50:,}.00")
    page.wait_for_selector(".saved-card")
    page.click("#pay-by-card")
    demo.wait_for_balance(f"${start + 75:,}.00")
    if page.is_visible("#send-missing"):
        page.click("#send-open")
        page.wait_for_selector("#send-submit:enabled")
    page.fill("#send-form input[name=description]", "Lunch")
    page.click("#send-submit")
    demo.wait_for_balance(f"${start + 70:,}.00")
    page.wait_for_selector("#history-list li:first-child:has-text('Lunch')")
    demo.picture("paid")
    demo.ask_for_a_refund("2")
    demo.expect("the balance", found=demo.balance(), wanted=f"${start + 70:,}.00")

    report.expected.add(402)
    demo.pay_by_phone("apple-pay", card=DECLINED)
    page.wait_for_selector(".toast-bad")
    demo.expect("the balance", found=demo.balance(), wanted=f"${start + 70:,}.00")
    demo.expect("the refusal", found=demo.last_calls(1), wanted=["POST /payment/apple-pay/process 402"])
    report.expected.clear()
    demo.top_up_by_itself(balance=start + 70)
    if not page.is_visible("#calls-list"):
        page.click("#calls-toggle")
    page.wait_for_selector("#calls-list .call[open] .bodies")
    demo.picture("calls")
    context.close()
