"""JSON in, read strictly, and JSON out: what a client sends means one thing or is refused."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from config.redaction import holds_card_number, may_hold_card_number, redacted_text
from users.api.bodies import InvalidRequest
from users.refusals import InputError

MAXIMUM_DEPTH = 32
CARD_FIELDS = frozenset(
    {"number", "card_number", "payment_data", "password", "client_secret", "refresh", "content"}
)
"""Members of a body under which a card may stand, or what isn't told from one; none of them is kept as it came.

`content` is a processor's report, full of long numbers of its own; what is kept of it are the rows that were understood.
"""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParseError("An object names the same member twice.")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ParseError("A number is too large.")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not JSON.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_without_duplicates, parse_float=_finite, parse_constant=_refuse_constant
)


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        if depth > MAXIMUM_DEPTH:
            raise ParseError(f"The body is nested more than {MAXIMUM_DEPTH} levels deep.")
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]


def _check_characters(value: Any) -> None:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            if "\x00" in node:
                raise ParseError("A string holds the character U+0000.")
            if any("\ud800" <= character <= "\udfff" for character in node):
                raise ParseError("A string holds half of a surrogate pair.")
        elif isinstance(node, dict):
            waiting.extend(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def read_json(raw: bytes) -> Any:
    """Read one JSON text of UTF-8.

    Refuses with ParseError what is malformed or ambiguous: duplicate members, NaN and Infinity, numbers beyond a
    double, more than 32 levels, U+0000 and half surrogate pairs, which no text column can hold.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise ParseError(f"The body is nested more than {MAXIMUM_DEPTH} levels deep.") from None
    except ValueError as malformed:
        place = f" at character {malformed.pos}" if isinstance(malformed, json.JSONDecodeError) else ""
        raise ParseError(f"The body is not JSON{place}.") from None
    # Counting brackets is an upper bound that spares ordinary bodies the walk.
    if raw.count(b"{") + raw.count(b"[") > MAXIMUM_DEPTH:
        _check_depth(value)
    if b"\\u" in raw:
        _check_characters(value)
    return value


def refuse_card_numbers(body: Any) -> None:
    """Refuse card numbers in names and texts other than `CARD_FIELDS`: what is kept as text is no place for them.

    Refuses with InvalidRequest, naming the member of the body.
    """
    if not isinstance(body, dict):
        return
    errors: list[InputError] = [
        {
            "field": redacted_text(name),
            "code": "card_number",
            "detail": "Card numbers go to /tokens/card alone.",
        }
        for name, value in body.items()
        if holds_card_number(name) or (name not in CARD_FIELDS and _has_card_number(value))
    ]
    if errors:
        raise InvalidRequest(errors)


def _has_card_number(value: Any) -> bool:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            if holds_card_number(node):
                return True
        elif isinstance(node, dict):
            waiting.extend(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return False


class StrictJSONParser(BaseParser):
    """`application/json`, read strictly."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Read the body and leave its bytes on the request, since the idempotency key's fingerprint covers them."""
        raw = (parser_context or {})["request"]._request.body
        body = read_json(raw)
        # An escaped digit is a digit all the same.
        if may_hold_card_number(raw) or b"\\u00" in raw:
            refuse_card_numbers(body)
        return body


class JSONRenderer(BaseRenderer):
    """JSON by orjson: UTF-8, times as RFC 3339 with `Z`."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Render the data; nothing at all for an answer without a body."""
        return b"" if data is None else orjson.dumps(data, option=orjson.OPT_UTC_Z)


class JSONAlways(BaseContentNegotiation):
    """The API speaks JSON whatever the client says that it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        """Choose the JSON parser for JSON; none, which is a 415, for everything else."""
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Choose the first renderer."""
        return renderers[0], renderers[0].media_type
