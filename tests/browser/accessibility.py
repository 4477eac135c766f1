"""What axe-core says of a page: the rules of WCAG 2.2 AA and its own best practices."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Swagger UI's own markup isn't ours; what we put around it is looked at.
NOT_OURS = ["#swagger-ui"]
ASK = """async ([rules, notOurs]) => {
  const exclude = notOurs.filter((one) => document.querySelector(one));
  const said = await axe.run({ include: ["html"], exclude }, { runOnly: rules, resultTypes: ["violations"] });
  return said.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)}`));
}"""


@cache
def axe() -> str:
    """Read axe-core, which comes with axe-playwright-python."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        raise RuntimeError("axe-playwright-python isn't installed: requirements/browser.txt has it.")
    return (Path(package.origin).parent / "axe.min.js").read_text()


def barriers(page: Any) -> list[str]:
    """List what keeps somebody from using the page: the rule, and the element that breaks it."""
    page.evaluate(axe())
    found: list[str] = page.evaluate(ASK, [RULES, NOT_OURS])
    return found
