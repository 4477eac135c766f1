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

MAXIMUM_DEPTH = 32


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


class StrictJSONParser(BaseParser):
    """`application/json`, read strictly."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Read the body and leave its bytes on the request, since the idempotency key's fingerprint covers them."""
        return read_json((parser_context or {})["request"]._request.body)


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
