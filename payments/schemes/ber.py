"""A reader of BER (X.690), as far as a CMS signature needs it: one-byte tags, definite and indefinite lengths.

Apple's signatures are BER on the outside, with lengths that only an end marks; the parsers at hand read DER alone,
or give certificates without their signer. Nothing is decoded ahead of time: an element reads its children when they
are asked for, and the caller has limited the size of the whole.
"""

from dataclasses import dataclass

DEEPEST = 16
"""How deeply elements of indefinite length may nest."""

SEQUENCE = 0x30
SET = 0x31
INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
UTC_TIME = 0x17
CONTEXT_0 = 0xA0
CONTEXT_1 = 0xA1

_CONSTRUCTED = 0x20
_HIGH_TAG = 0x1F
_END_OF_CONTENTS = b"\x00\x00"


class Malformed(Exception):
    """The bytes are not the BER that was expected."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its identifier octet, its contents, and all of its bytes as they came."""

    tag: int
    content: bytes
    raw: bytes

    def children(self) -> list["Element"]:
        """Read the elements inside, of a constructed one. Raises Malformed."""
        if not self.tag & _CONSTRUCTED:
            raise Malformed("a primitive element has no children")
        found, position = [], 0
        while position < len(self.content):
            element, position = _read(self.content, position, depth=0)
            found.append(element)
        return found

    def expect(self, tag: int) -> "Element":
        """Give the element itself if it has this tag. Raises Malformed."""
        if self.tag != tag:
            raise Malformed(f"expected tag {tag:#04x}, found {self.tag:#04x}")
        return self

    def identifier(self) -> str:
        """Read an object identifier as `1.2.840`. Raises Malformed."""
        content = self.expect(OBJECT_IDENTIFIER).content
        if not content or content[-1] & 0x80 or len(content) > 32:
            raise Malformed("an object identifier is cut off, or too long")
        arcs, arc = [], 0
        for octet in content:
            arc = arc << 7 | octet & 0x7F
            if not octet & 0x80:
                arcs.append(arc)
                arc = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(str(number) for number in (first, arcs[0] - 40 * first, *arcs[1:]))

    def integer(self) -> int:
        """Read an integer. Raises Malformed."""
        content = self.expect(INTEGER).content
        if not content:
            raise Malformed("an integer without digits")
        return int.from_bytes(content, signed=True)

    def is_definite(self) -> bool:
        """Whether the element says its length itself, as DER does."""
        return self.raw[1] != 0x80


def read_one(data: bytes) -> Element:
    """Read the one element that `data` is. Raises Malformed, also where anything follows it."""
    element, end = _read(data, 0, depth=0)
    if end != len(data):
        raise Malformed("something follows the element")
    return element


def _read(data: bytes, start: int, *, depth: int) -> tuple[Element, int]:
    """Read the element that begins at `start`; also tell where the next one begins."""
    if depth > DEEPEST:
        raise Malformed("nested too deeply")
    if len(data) < start + 2:
        raise Malformed("cut off")
    tag, length = data[start], data[start + 1]
    if tag & _HIGH_TAG == _HIGH_TAG or tag == 0:
        raise Malformed("a tag that isn't used here")
    begin = start + 2
    if length == 0x80:
        if not tag & _CONSTRUCTED:
            raise Malformed("a primitive element without a length")
        position = begin
        while data[position : position + 2] != _END_OF_CONTENTS:
            _, position = _read(data, position, depth=depth + 1)
        end = position + 2
        return Element(tag, data[begin:position], data[start:end]), end
    if length > 0x80:
        octets = length & 0x7F
        if octets > 4 or len(data) < begin + octets:
            raise Malformed("a length that can't be")
        length = int.from_bytes(data[begin : begin + octets])
        begin += octets
    end = begin + length
    if len(data) < end:
        raise Malformed("cut off")
    return Element(tag, data[begin:end], data[start:end]), end
