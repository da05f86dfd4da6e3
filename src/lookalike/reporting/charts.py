"""Small charts as inline SVG: bars, columns of a histogram, steps of a price over time. Pure.

In: numbers and their words. Out: markup whose colors are the page's own (page.css.j2), so that it follows dark mode, and
that prints. Never: holds a script, or text that is not escaped.

They are drawn for the width of a phone: a wider page sets them side by side rather than larger.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

WIDTH, HEIGHT = 340, 150
LEFT, TOP, BOTTOM = 4, 18, 20  # room around what is drawn
MOST_BINS = 16
MOST_LABELS = 9
REACH = 0.98  # of the values lie below the last bin's lower end; what is beyond shares that bin
ROUND = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, kw_only=True)
class Bin:
    """How many values lie from `low` up to `high`, or anywhere above where `high` is None."""

    low: float
    high: float | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a chart: what stands under it, how high it is, and what it says when it is pointed at."""

    label: str
    count: int
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A value that held from one moment to another."""

    start: datetime
    end: datetime
    value: float
    shown: str  # the value as it is written


def bins(values: Sequence[float]) -> list[Bin]:
    """A histogram with ends that a person would choose. The few largest values share the last bin."""
    if not values:
        return []
    ordered = sorted(values)
    reach = ordered[math.ceil(REACH * (len(ordered) - 1))]
    step = round_up((reach - ordered[0]) / MOST_BINS or reach / MOST_BINS or 1)
    first, last = math.floor(ordered[0] / step), math.floor(reach / step)
    counts = [0] * (last - first + 1)
    for value in ordered:
        counts[min(math.floor(value / step), last) - first] += 1
    ends: list[float | None] = [(first + place + 1) * step for place in range(len(counts))]
    if ordered[-1] >= (last + 1) * step:
        ends[-1] = None
    return [Bin(low=(first + at) * step, high=ends[at], count=count) for at, count in enumerate(counts)]


def round_up(step: float) -> float:
    """The next of 1, 2, 2.5, 5, 10, 20 ... (and 0.1, 0.2 ...) that is not smaller."""
    tens = 10 ** math.floor(math.log10(step))
    return float(next(one * tens for one in ROUND if one * tens >= step * (1 - 1e-9)))


def bar(parts: Sequence[tuple[float, str]]) -> Markup:
    """A horizontal bar of parts one after another: (per cent of the whole width, a color as CSS writes it)."""
    drawn, at = Markup(), 0.0
    for percent, color in parts:
        drawn += Markup('<rect x="{:.2f}%" width="{:.2f}%" height="10" style="fill: {}"/>').format(at, percent, color)
        at += percent
    return Markup('<svg class="bar" width="100%" height="10" aria-hidden="true">{}</svg>').format(drawn)


def columns(told: Sequence[Column], what: str, *, edges: bool = False) -> Markup:
    """Upright columns; `what` says in words what they show. Few of them carry their count, many only some labels.

    edges: a label stands where its column begins, as that of a range does, and not under its middle.
    """
    tallest = max((one.count for one in told), default=0) or 1
    wide = (WIDTH - 2 * LEFT) / max(len(told), 6)
    every = -(-len(told) // MOST_LABELS)
    drawn = Markup()
    for place, one in enumerate(told):
        left = LEFT + place * wide
        height = (HEIGHT - TOP - BOTTOM) * one.count / tallest
        drawn += _column(one, left + 0.06 * wide, wide * 0.88, height)
        if place % every == 0:
            drawn += _text(left if edges else left + wide / 2, HEIGHT - 5, one.label)
        if every == 1 and one.count:
            drawn += _text(left + wide / 2, HEIGHT - BOTTOM - height - 4, f"{one.count:,}")
    return _svg(drawn + _ground(), what)


def _column(one: Column, left: float, width: float, height: float) -> Markup:
    told = Markup('<rect class="fill" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    return told.format(left, HEIGHT - BOTTOM - height, width, height, one.says or f"{one.label}: {one.count:,}")


def steps(spans: Sequence[Span], what: str) -> Markup:
    """What held from when to when, as a line of steps; where nothing held, there is a gap. `spans`: oldest first."""
    if not spans:
        return Markup()
    begun, ended = spans[0].start, spans[-1].end
    low, high = min(one.value for one in spans), max(one.value for one in spans)

    def across(moment: datetime) -> float:
        whole = (ended - begun).total_seconds()
        share = (moment - begun).total_seconds() / whole if whole else 0.0
        return LEFT + share * (WIDTH - 2 * LEFT)

    def up(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return HEIGHT - BOTTOM - 18 - share * (HEIGHT - TOP - BOTTOM - 24)

    line = Markup('<path class="line" d="{}"/>').format("".join(_path(spans, across, up)))
    dots = Markup().join(
        Markup('<circle class="fill" cx="{:.1f}" cy="{:.1f}" r="3"><title>{:%Y-%m-%d}: {}</title></circle>').format(
            across(one.start), up(one.value), one.start, one.shown
        )
        for one in spans
    )
    marks = _values(spans, across, up) + _text(LEFT, HEIGHT - 5, f"{begun:%Y-%m-%d}", "start")
    if ended.date() > begun.date():
        marks += _text(WIDTH - LEFT, HEIGHT - 5, f"{ended:%Y-%m-%d}", "end")
    return _svg(line + dots + marks + _ground(), what)


def _path(spans: Sequence[Span], across: Callable[[datetime], float], up: Callable[[float], float]) -> Iterator[str]:
    """The line: straight on while a value holds, and up or down where the next one follows at once."""
    until = None
    for one in spans:
        yield f"{'L' if until == one.start else 'M'}{across(one.start):.1f} {up(one.value):.1f}"
        yield f"H{across(one.end):.1f}"
        until = one.end


def _values(spans: Sequence[Span], across: Callable[[datetime], float], up: Callable[[float], float]) -> Markup:
    """The highest value, written above its line, and the lowest, below its own."""
    highest, lowest = max(spans, key=lambda one: one.value), min(spans, key=lambda one: one.value)
    marked = [(highest, -6)] + [(lowest, 13)] * (lowest.value < highest.value)
    drawn = Markup()
    for one, aside in marked:
        x = across(one.start)
        drawn += _text(x, up(one.value) + aside, one.shown, "start" if x < WIDTH / 2 else "end")
    return drawn


def _text(x: float, y: float, words: str, anchor: str = "middle") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, words)


def _ground() -> Markup:
    y = HEIGHT - BOTTOM
    return Markup('<path class="ground" d="M{} {}H{}"/>').format(LEFT, y, WIDTH - LEFT)


def _svg(drawn: Markup, what: str) -> Markup:
    told = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return told.format(WIDTH, HEIGHT, what, drawn)
