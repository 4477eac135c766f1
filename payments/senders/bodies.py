"""Reading the bodies of webhooks."""

from typing import Any

import orjson

from transactions.refusals import InvalidInput


def document(raw: bytes) -> dict[str, Any]:
    """Read a JSON object. Refuses with InvalidInput what is none."""
    try:
        read = orjson.loads(raw)
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, dict):
        raise InvalidInput("The body is not a JSON object.")
    return read


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
