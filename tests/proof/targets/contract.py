"""What a fuzzed parser is: a function of bytes, the inputs to begin with, and what each of them is known to become.

A module of this package has `configuration(folder)`, the settings that its parsers need, and `target()`, to be called
where those are in force. Neither needs a database or a network. The first byte of an input chooses the way in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

READ, REFUSED = "read", "refused"
OUTCOMES = (READ, REFUSED)

Way = Callable[[bytes], str]


class Believed(Exception):
    """Something was believed that nobody signed, or something was given on that can't be kept."""


@dataclass(frozen=True)
class Seed:
    """An input, and what becomes of it."""

    data: bytes
    becomes: str


@dataclass(frozen=True)
class Target:
    """Parsers behind one function of bytes."""

    ways: Mapping[str, Way]
    seeds: Mapping[str, Seed]
    words: tuple[str, ...]
    """What a fuzzer is to try that it would hardly come upon."""

    def feed(self, data: bytes) -> str:
        """Read an input in the way that its first byte chooses; tell whether it was read or refused by code.

        Raises Believed, or whatever the parser raises that isn't a refusal of its contract.
        """
        if not data:
            return REFUSED
        ways = tuple(self.ways.values())
        return ways[data[0] % len(ways)](data[1:])


def seed(ways: Mapping[str, Way], way: str, rest: bytes, becomes: str) -> Seed:
    """Write an input that goes this way."""
    return Seed(bytes([list(ways).index(way)]) + rest, becomes)
