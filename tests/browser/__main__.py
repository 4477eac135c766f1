"""`make check-browser`: open every page in Chromium, on the whole of Open Wallet with a little money in it.

Ends with 1 when a page breaks the content policy, fails in a script, misses a file or is wider than the screen.
`python -m tests.browser FOLDER` keeps a picture of each page in the folder.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.demo import walk_through
from tests.browser.pages import CHROMIUM_FLAGS, SIZES, open_all
from tests.journeys.running_stack import running_stack
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
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        subprocess.run(
            ["bash", "-e", "-c", quick_start()],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "API": f"{stack.url}/api/v1"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
            report = open_all(
                browser,
                base_url=stack.url,
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
                    pictures=pictures,
                )
            browser.close()
    print("\n".join(dict.fromkeys(report.faults)))
    print(f"Opened {report.opened} pages: {len(report.faults)} faults.")
    return 1 if report.faults or not report.opened else 0


if __name__ == "__main__":
    sys.exit(main())
