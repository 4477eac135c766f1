"""Charts that the server draws: bars in SVG with classes alone, and beside each the table that it is drawn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 520
HEIGHT: Final = 190
LEFT: Final = 52
RIGHT: Final = 22
TOP: Final = 12
BOTTOM: Final = 24
MOST_LABELS: Final = 7
TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in the drawing's units; `series` counts from 1, `label` says what it stands for."""

    x: float
    y: float
    width: float
    height: float
    series: int
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A text beside an axis; for the vertical one `at` is the height of its line."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its axes, and its table: in each row a name, then a value of each series."""

    name: str
    series: Sequence[str]
    bars: Sequence[Bar]
    lines: Sequence[Mark]
    marks: Sequence[Mark]
    table: Sequence[tuple[str, Sequence[str]]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    end: int = WIDTH - RIGHT
    bottom: int = HEIGHT - 6


def bar_chart(
    *,
    name: str,
    series: Sequence[str],
    rows: Sequence[tuple[str, Sequence[int]]],
    shown: Callable[[int], str],
    short: Callable[[int], str],
) -> Chart:
    """Stack each row's values, none of them negative, to one bar; `shown` writes a value, `short` one of the axis."""
    highest = _round_up(max((sum(values) for _, values in rows), default=0))
    scale = (HEIGHT - TOP - BOTTOM) / highest
    step = (WIDTH - LEFT - RIGHT) / max(1, len(rows))
    base = HEIGHT - BOTTOM
    bars = []
    for place, (label, values) in enumerate(rows):
        below = 0
        for number, value in enumerate(values, start=1):
            if value:
                bars.append(
                    Bar(
                        x=round(LEFT + place * step + step * 0.14, 1),
                        y=round(base - (below + value) * scale, 1),
                        width=round(step * 0.72, 1),
                        height=round(max(value * scale, 1), 1),
                        series=number,
                        label=f"{label}: {shown(value)}"
                        + (f" {series[number - 1]}" if len(series) > 1 else ""),
                    )
                )
            below += value
    ticks = range(0, highest + 1, highest // TICKS)
    every = -(-len(rows) // MOST_LABELS)
    return Chart(
        name=name,
        series=series,
        bars=bars,
        lines=[Mark(round(base - tick * scale, 1), short(tick)) for tick in ticks],
        marks=[
            Mark(round(LEFT + (place + 0.5) * step, 1), label[5:])
            for place, (label, _) in enumerate(rows)
            if place % every == 0
        ],
        table=[(label, [shown(value) for value in values]) for label, values in rows],
    )


def _round_up(value: int) -> int:
    """Give the next number that divides into the ticks and is easily read: 4, 8, 12, 20, 40, 80, 120 …"""
    step = 1
    while True:
        for factor in (1, 2, 3, 5):
            if value <= TICKS * factor * step:
                return TICKS * factor * step
        step *= 10
