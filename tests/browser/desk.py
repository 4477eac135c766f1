"""Somebody of the staff at a browser, whose clicks are counted."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.browser.accessibility import barriers
from tests.browser.pages import SIZES, Report, watch
from tests.browser.scene import Scene

WAITS_FOR_MS = 15_000
FOCUSED = "document.activeElement.outerHTML.slice(0, 120)"
FOCUS_IS_SEEN = """(() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
})()"""


class Desk:
    """One person's browser; clicks and keys that do something count, typing doesn't."""

    def __init__(self, page: Any, base_url: str, scene: Scene, password: str) -> None:
        self.page = page
        self.base_url = base_url
        self.scene = scene
        self.password = password
        self.clicks = 0
        page.set_default_timeout(WAITS_FOR_MS)

    def log_in(self, role: str, *, by_keys: bool = False) -> None:
        """Begin at the login page as the demo's support, finance or admin."""
        self.page.goto(f"{self.base_url}/admin/login/?next=/admin/")
        self.page.fill("input[name=username]", f"{role}@example.com")
        self.page.fill("input[name=password]", self.password)
        if by_keys:
            self.press("Enter")
        else:
            self.click("main button[type=submit]")
        self.page.wait_for_url(f"{self.base_url}/admin/")

    def click(self, selector: str) -> None:
        """Click on the first of what is meant, and wait for the page that it leads to."""
        self.clicks += 1
        self.page.locator(selector).first.click()
        self.page.wait_for_load_state()

    def press(self, keys: str) -> None:
        """Press keys one after the other (`g w`); a series counts once."""
        self.clicks += 1
        for key in keys.split():
            self.page.keyboard.press(key)
        self.page.wait_for_load_state()

    def tab_until(self, selector: str, *, most: int) -> None:
        """Go on by Tab until the focus is on it; each stop on the way has to show that it has the focus."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if not self.page.evaluate(FOCUS_IS_SEEN):
                raise AssertionError(f"the focus isn't seen on {self.page.evaluate(FOCUSED)}")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} isn't reached by Tab")

    def count(self, selector: str) -> int:
        """Tell how many of them the page has."""
        return int(self.page.locator(selector).count())

    def has_as_many(self, selector: str, count: int) -> None:
        """Wait until the page has so many of them."""
        self.page.wait_for_function(
            "([selector, count]) => document.querySelectorAll(selector).length === count",
            arg=[selector, count],
        )

    def type(self, text: str) -> None:
        """Type where the cursor is."""
        self.page.keyboard.type(text)

    def fill(self, selector: str, text: str) -> None:
        """Write into a field, in place of what stood there."""
        self.page.fill(selector, text)

    def reads(self, selector: str) -> str:
        """Read what stands there."""
        return str(self.page.locator(selector).first.inner_text())

    def opens(self, path: str) -> None:
        """Follow a link that came from elsewhere."""
        self.page.goto(f"{self.base_url}{path}")

    def waits(self, seconds: float) -> None:
        """Do nothing for a while."""
        self.page.wait_for_timeout(seconds * 1000)

    def sees(self, text: str) -> None:
        """Wait until the page shows it."""
        self.page.get_by_text(text).first.wait_for()

    def is_at(self, path: str) -> None:
        """Wait until the address is one that the pattern fits."""
        self.page.wait_for_url(re.compile(path))

    def has(self, selector: str) -> None:
        """Wait until the page has it."""
        self.page.wait_for_selector(selector, state="attached")


@dataclass(frozen=True)
class Journey:
    """What somebody comes for, the way there, and within how many clicks."""

    name: str
    walk: Callable[[Desk], None]
    most_clicks: int


def walk_all(
    browser: Any,
    journeys: tuple[Journey, ...],
    *,
    base_url: str,
    scene: Scene,
    password: str,
    report: Report,
) -> None:
    """Walk every journey in a browser of its own; whatever doesn't go as it should is a fault."""
    width, height = SIZES["desk"]
    for journey in journeys:
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        watch(page, journey.name, report)
        desk = Desk(page, base_url, scene, password)
        try:
            journey.walk(desk)
            page.wait_for_load_state("networkidle")
        except Exception as stumble:  # noqa: BLE001 - whatever it was, the other journeys are walked, too
            report.faults.append(f"{journey.name}: {str(stumble).splitlines()[0]} at {page.url}")
        else:
            report.faults.extend(f"{journey.name}: axe: {barrier}" for barrier in barriers(page))
        if desk.clicks > journey.most_clicks:
            report.faults.append(f"{journey.name}: {desk.clicks} clicks, not {journey.most_clicks}")
        report.journeys += 1
        context.close()
