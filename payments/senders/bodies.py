"""Reading the bodies of webhooks."""

from typing import Any

import orjson

from transactions.refusals import InvalidInput

MOST_LEVELS = 32
"""How deeply a body may nest; what providers send has less than ten levels."""


def document(raw: bytes) -> dict[str, Any]:
    """Read a JSON object. Refuses with InvalidInput what is none, or nests more than `MOST_LEVELS` deep."""
    try:
        read = orjson.loads(raw)
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, dict):
        raise InvalidInput("The body is not a JSON object.")
    # Counting brackets is an upper bound that spares ordinary bodies the walk.
    if raw.count(b"{") + raw.count(b"[") > MOST_LEVELS and _nests_deeper(read, MOST_LEVELS):
        raise InvalidInput(f"The body is nested more than {MOST_LEVELS} levels deep.")
    return read


def _nests_deeper(value: dict[str, Any], levels: int) -> bool:
    """Walk level by level: what nests too deeply for Python to write again can't be walked by calls either."""
    level: list[Any] = [value]
    for _ in range(levels):
        inside = (child for node in level for child in (node.values() if isinstance(node, dict) else node))
        level = [child for child in inside if isinstance(child, dict | list)]
    return bool(level)


def part(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Give an object within another one; an empty one where there is none."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def word(body: dict[str, Any], name: str) -> str:
    """Give a text within an object, of at most 255 characters; an expanded object stands for its id."""
    found = body.get(name)
    if isinstance(found, dict):
        found = found.get("id")
    return found if isinstance(found, str) and len(found) <= 255 and "\x00" not in found else ""
