"""Every kind of page, opened in a real browser: light and dark, on a desk and on a phone.

Used by `make check-browser` and `make screenshots`. Needs Chromium and Playwright for Python, which the tests don't.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browser.accessibility import barriers
from tests.browser.scene import Scene

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
# Between and beyond the two, a page has to fit, too.
OTHER_WIDTHS = (1920, 1100, 768)
THEMES = ("light", "dark")
# Long enough to approve something after a log-in, and short enough to wait for.
PROOF_LASTS_S = 30
PUBLIC_PAGES = {
    "front": "/",
    "demo": "/demo/",
    "errors": "/docs/errors",
    "error": "/docs/errors/insufficient_funds",
    "api": "/api/docs",
    "login": "/admin/login/",
    "nothing": "/nothing-is-here",
}
# Each page of `backoffice.urls` stands here (a test compares them); `{wallet}` and the like are ids of the scene.
STAFF_PAGES = {
    "index": "/admin/",
    "search": "/admin/search/?q={email}",
    "clock": "/admin/test-clock/",
    "search-nothing": "/admin/search/?q=nobody-is-called-so",
    "search-empty": "/admin/search/",
    "time-zone": "/admin/time-zone/",
    "account": "/admin/account/",
    "password": "/admin/account/password/",
    "second-factor": "/admin/account/second-factor/",
    "second-factor-show": "/admin/account/second-factor/show/",
    "staff": "/admin/staff/",
    "staff-member": "/admin/staff/{staff}/",
    "staff-invite": "/admin/staff/invite/",
    "customers": "/admin/customers/",
    "customer": "/admin/customers/{customer}/",
    "wallets": "/admin/wallets/",
    "wallet": "/admin/wallets/{wallet}/",
    "transactions": "/admin/transactions/",
    "transfers": "/admin/transfers/",
    "payments": "/admin/payments/",
    "payment": "/admin/payments/{payment}/",
    "payment-disputed": "/admin/payments/{disputed_payment}/",
    "payment-sessions": "/admin/payment-sessions/",
    "holds": "/admin/holds/",
    "hold": "/admin/holds/{hold}/",
    "cards": "/admin/cards/",
    "top-up-rules": "/admin/top-up-rules/",
    "top-up-rule": "/admin/top-up-rules/{topped_up}/",
    "top-up-schedules": "/admin/top-up-schedules/",
    "top-up-failures": "/admin/top-up-failures/",
    "provider-events": "/admin/provider-events/",
    "provider-event": "/admin/provider-events/{provider_event}/",
    "refunds": "/admin/refunds/",
    "refund": "/admin/refunds/{refund}/",
    "adjustments": "/admin/adjustments/",
    "adjustment": "/admin/adjustments/{adjustment}/",
    "adjustment-ask": "/admin/adjustments/of/{wallet}/",
    "files": "/admin/files/",
    "dashboard": "/admin/dashboard/",
    "reconciliation": "/admin/reconciliation/",
    "settlement-imports": "/admin/reconciliation/imports/",
    "settlement-import-new": "/admin/reconciliation/imports/new/",
    "settlement-import": "/admin/reconciliation/imports/{settlement_import}/",
    "settlement-breaks": "/admin/reconciliation/breaks/",
    "settlement-break": "/admin/reconciliation/breaks/{settlement_break}/",
    "dashboard-30d": "/admin/dashboard/?period=30d",
    "records": "/admin/records/",
    "balance-explained": "/admin/wallets/{wallet}/explain/",
}
# Ids that no API tells: each is the first one in a list of the back office, where something has to be by then.
FIRST_IN = {"provider_event": "/admin/provider-events/"}
WAITS_FOR_FIRST_S = 60
# Django's screens look alike, and so do pages that find nothing: of those some are kept as pictures.
PICTURED = ({*PUBLIC_PAGES, *STAFF_PAGES} - {"nothing", "search-empty", "second-factor-show"}) | {
    "events-auditentry",
    "events-webhookendpoint",
    "transactions-transfer-one",
}
# What a script draws, and what shows that it is done.
DRAWN_LATER = {"api": ".opblock"}
# Cells that are an amount, rather than tell of one, and don't stand on the right, as the parts of a number have to.
AMOUNTS_NOT_RIGHT = """[...document.querySelectorAll("table.listing td")]
  .filter((cell) => cell.querySelector(".amount"))
  .filter((cell) => cell.textContent.trim().startsWith(cell.querySelector(".amount").textContent.trim()))
  .filter((cell) => !["right", "end"].includes(getComputedStyle(cell).textAlign))
  .map((cell) => cell.textContent.trim().slice(0, 60))"""
# What leads somewhere or does something has no use on paper.
PRINTED_NEEDLESSLY = """[".side", ".bar .search", ".pager", ".filter-bar", ".trail", ".head-actions"]
  .filter((one) => [...document.querySelectorAll(one)].some((part) => part.offsetParent !== null))"""
# Where the page itself answers "no", the browser says so on its console.
REFUSED_PAGES = frozenset({"nothing"})


@dataclass
class Report:
    """What was opened and walked, and each thing that went wrong on the way; `expected` are refusals that are part of it."""

    opened: int = 0
    journeys: int = 0
    faults: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)


def watch(page: Any, name: str, report: Report) -> None:
    """Note every error on the console, every script that fails, every answer that is no success."""

    def console(message: Any) -> None:
        is_expected = any(f"status of {status}" in message.text for status in report.expected)
        if message.type in ("error", "warning") and name not in REFUSED_PAGES and not is_expected:
            report.faults.append(f"{name}: console: {message.text}")

    def answer(response: Any) -> None:
        if response.status >= 400 and name not in REFUSED_PAGES and response.status not in report.expected:
            report.faults.append(f"{name}: {response.status} {response.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: report.faults.append(f"{name}: script: {error}"))
    page.on("response", answer)


def is_too_wide(page: Any) -> bool:
    """Tell whether the page scrolls sideways as a whole."""
    return bool(
        page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
    )


def log_in(context: Any, base_url: str, email: str, password: str) -> None:
    """Log in to the back office by its form."""
    page = context.new_page()
    page.goto(f"{base_url}/admin/login/?next=/admin/")
    page.fill("input[name=username]", email)
    page.fill("input[name=password]", password)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{base_url}/admin/")
    page.close()


def first_ids(context: Any, base_url: str) -> dict[str, str]:
    """Find the ids that no API tells, each in its list; what workers make may take a moment."""
    page, found = context.new_page(), {}
    for name, path in FIRST_IN.items():
        until_s = time.monotonic() + WAITS_FOR_FIRST_S
        while not (links := _links_below(page, base_url, path)) and time.monotonic() < until_s:
            time.sleep(0.5)
        found[name] = links[0].removeprefix(path).strip("/")
    page.close()
    return found


def _links_below(page: Any, base_url: str, path: str) -> list[str]:
    page.goto(f"{base_url}{path}")
    links = page.eval_on_selector_all(
        f".listing a[href^='{path}']", "links => links.map(link => link.getAttribute('href'))"
    )
    return [str(link) for link in links]


def screens(context: Any, base_url: str) -> Iterator[tuple[str, str]]:
    """Find each of Django's lists in the back office, and the first object of each."""
    page = context.new_page()
    page.goto(f"{base_url}/admin/records/")
    lists = page.eval_on_selector_all(
        "main .tiles a", "links => links.map(link => link.getAttribute('href'))"
    )
    for path in lists:
        name = re.sub(r"\W+", "-", path.removeprefix("/admin/").strip("/"))
        yield name, path
        objects = _links_below(page, base_url, path)
        if objects:
            yield f"{name}-one", objects[0]
    page.close()


def loose_policies(response: Any) -> list[str]:
    """List what the page's content policy lets in beyond nothing at all and our own files."""
    policy = response.headers.get("content-security-policy", "")
    loose = [
        word for word in re.findall(r"[^\s;]+", policy) if word.startswith(("'unsafe", "data:", "http", "*"))
    ]
    return loose if policy.startswith("default-src 'none';") else [f"no strict policy: {policy}", *loose]


def look_at(page: Any, name: str, size: str, theme: str, report: Report) -> None:
    """Note what is wrong with a page that has been opened: its width, and whatever axe finds."""
    if is_too_wide(page):
        report.faults.append(f"{name} ({size}): wider than the screen")
    report.faults.extend(f"{name} ({size}, {theme}): axe: {barrier}" for barrier in barriers(page))


def look_closer(page: Any, name: str, report: Report) -> None:
    """Note what is wrong with a page in other widths, with its amounts, and on paper."""
    for width in OTHER_WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if is_too_wide(page):
            report.faults.append(f"{name} ({width} pixels): wider than the screen")
    report.faults.extend(f"{name}: not on the right: {cell}" for cell in page.evaluate(AMOUNTS_NOT_RIGHT))
    page.emulate_media(media="print")
    report.faults.extend(f"{name}: printed: {part}" for part in page.evaluate(PRINTED_NEEDLESSLY))


def open_all(
    browser: Any, *, base_url: str, scene: Scene, email: str, password: str, pictures: Path | None = None
) -> Report:
    """Open every page in every size and theme; `pictures` is a folder for screenshots."""
    report = Report()
    for size, (width, height) in SIZES.items():
        # Without motion a theme is there at once when it is switched to.
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=THEMES[0], reduced_motion="reduce"
        )
        pages = list(PUBLIC_PAGES.items())
        for stage in ("public", "staff"):
            if stage == "staff":
                log_in(context, base_url, email, password)
                ids = {**scene.ids, **first_ids(context, base_url)}
                ours = [(name, path.format_map(ids)) for name, path in STAFF_PAGES.items()]
                pages = [*ours, *screens(context, base_url)]
            for name, path in pages:
                page = context.new_page()
                watch(page, f"{name} ({size})" if name not in REFUSED_PAGES else name, report)
                response = page.goto(f"{base_url}{path}")
                report.faults.extend(f"{name}: {loose}" for loose in loose_policies(response))
                if name in DRAWN_LATER:
                    page.wait_for_selector(DRAWN_LATER[name])
                for theme in THEMES:
                    page.emulate_media(color_scheme=theme)
                    if pictures and name in PICTURED and (size, theme) != ("phone", "dark"):
                        taken = f"{width}-{theme}" if size == "desk" else f"{width}"
                        page.screenshot(path=str(pictures / f"{name}-{taken}.png"))
                    look_at(page, name, size, theme, report)
                    report.opened += 1
                if size == "desk":
                    look_closer(page, name, report)
                page.close()
        context.close()
    return report
