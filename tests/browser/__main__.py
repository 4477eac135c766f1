"""`make check-browser`: open every page and walk every journey in Chromium, on the whole of Open Wallet with a day in it.

Ends with 1 when a page breaks the content policy, fails in a script, misses a file, is wider than the screen or keeps
somebody out (axe), or when a journey doesn't end where it should. `python -m tests.browser FOLDER` keeps a picture of
each page in the folder: light and dark at 1440 pixels, light at 390.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.demo import walk_through
from tests.browser.desk import walk_all
from tests.browser.pages import CHROMIUM_FLAGS, PROOF_LASTS_S, SIZES, Report, open_all
from tests.browser.pictures import make_small
from tests.browser.scene import make_scene
from tests.browser.security_journeys import SECURITY_JOURNEYS
from tests.browser.staff_journeys import STAFF_JOURNEYS
from tests.journeys.running_stack import Stack, running_stack
from tests.journeys.test_quick_start import quick_start

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    chromium = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if chromium is None:
        print("There is no Chromium: apt-get install chromium.")
        return 1
    pictures = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        for old in (*pictures.glob("*-1440-*.png"), *pictures.glob("*-390.png")):
            old.unlink()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder), STAFF_PROOF_LASTS_S=str(PROOF_LASTS_S)) as stack,
    ):
        subprocess.run(
            ["bash", "-e", "-c", quick_start()],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "API": f"{stack.url}/api/v1"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
            report = browse(browser, stack, pictures)
            browser.close()
    if pictures:
        make_small(pictures)
    print("\n".join(dict.fromkeys(report.faults)))
    print(f"Walked {report.journeys} journeys, opened {report.opened} pages: {len(report.faults)} faults.")
    return 1 if report.faults or not report.opened or not report.journeys else 0


def browse(browser: Any, stack: Stack, pictures: Path | None) -> Report:
    """Fill the place, open every page, and walk every journey: the customer's twice, then the staff's."""
    scene = make_scene(stack.url, password=stack.password)
    report = open_all(
        browser,
        base_url=stack.url,
        scene=scene,
        email="admin@example.com",
        password=stack.password,
        pictures=pictures,
    )
    for size, theme in (("desk", "light"), ("phone", "dark")):
        width, height = SIZES[size]
        walk_through(
            browser,
            base_url=stack.url,
            password=stack.password,
            size=size,
            theme=theme,
            viewport={"width": width, "height": height},
            report=report,
        )
        report.journeys += 1
    report.expected.clear()
    walk_all(
        browser,
        (*STAFF_JOURNEYS, *SECURITY_JOURNEYS),
        base_url=stack.url,
        scene=scene,
        password=stack.password,
        report=report,
    )
    return report


if __name__ == "__main__":
    sys.exit(main())
