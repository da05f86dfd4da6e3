"""Plots of a comparison as inline SVG: intervals on a common scale, one strip a row, and a figure against its cost. Pure.

In: numbers and their words. Out: markup in the page's own colors (page.css.j2), so that it follows dark mode, and prints.
Never: holds a script, or text that is not escaped.

A strip is as wide and as tall as its place, whatever that is: where things lie is told in per cent.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from lookalike.reporting.charts import round_up
from lookalike.retrieval.comparison import ALIKE

TICKS = 4  # intervals between them at most: a strip may be half a phone wide
EDGE = 0.06  # of the scale, on either side of what is shown
WIDTH, HEIGHT = 340, 260
LEFT, RIGHT, TOP, BOTTOM = 34, 12, 12, 36  # room around the points
DOT = 4.5
BELOW = 8  # pixels from a value down to its seeds
LABEL = 6  # half of what a label takes across
ROUND_LOG = (1, 2, 5)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From where to where a figure is shown, and what is written along it."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """How far along a value lies: 0 to 1."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, kw_only=True)
class Span:
    """One figure with its interval."""

    value: float
    low: float
    high: float
    dots: tuple[float, ...] = ()  # what it is the mean of
    tone: str = ""  # a class of the style sheet
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One figure beside what it costs."""

    cost: float
    value: float
    label: str  # short: it is written beside the point
    tone: str = ""
    says: str = ""


def scale(values: Sequence[float]) -> Scale:
    """A scale that holds all values, with round numbers along it."""
    low, high = min(values), max(values)
    room = EDGE * (high - low) or 0.01
    low, high = low - room, high + room
    step = round_up((high - low) / TICKS)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Scale(low=low, high=high, ticks=tuple(number * step for number in range(first, last + 1)))


# Strips


def strip(span: Span, along: Scale, mark: float) -> Markup:
    """A figure with its interval, on a strip of the scale; `mark` is drawn across it, as on every strip of the column."""
    drawn = Markup().join(_upright(along.share(tick), "grid") for tick in along.ticks)
    drawn += _upright(along.share(mark), "mark")
    drawn += Markup('<line class="whisker" x1="{:.2f}%" x2="{:.2f}%" y1="50%" y2="50%"/>').format(
        100 * along.share(span.low), 100 * along.share(span.high)
    )
    drawn += Markup().join(_dot(along.share(one), BELOW, 2, "seed") for one in span.dots)
    drawn += _dot(along.share(span.value), 0, DOT, "dot")
    told = Markup('<svg class="strip {}" width="100%" role="img" aria-label="{}"><title>{}</title>{}</svg>')
    return told.format(span.tone, span.says, span.says, drawn)


def axis(along: Scale, write: Callable[[float], str]) -> Markup:
    """The numbers along a column of strips."""
    drawn = Markup().join(
        Markup('<text x="{:.2f}%" y="13" text-anchor="middle">{}</text>').format(100 * along.share(tick), write(tick))
        for tick in along.ticks
    )
    return Markup('<svg class="strip axis" width="100%" aria-hidden="true">{}</svg>').format(drawn)


def _upright(share: float, tone: str) -> Markup:
    at = 100 * share
    return Markup('<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="0" y2="100%"/>').format(tone, at, at)


def _dot(share: float, down: float, radius: float, tone: str) -> Markup:
    return Markup('<circle class="{}" cx="{:.2f}%" cy="50%" r="{}" transform="translate(0 {})"/>').format(
        tone, 100 * share, radius, down
    )


# A figure against its cost


def scatter(points: Sequence[Point], what: str, below: str) -> Markup:
    """Points over the logarithm of what they cost, those that nothing beats joined by steps; "" without points.

    what: the whole in words; below: what stands under the axis.
    """
    if not points:
        return Markup()
    across, up = _across(points), scale([one.value for one in points])
    at = [(_x(across.share(math.log10(one.cost))), _y(up.share(one.value))) for one in points]
    drawn = Markup().join(
        Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, _y(up.share(tick)), WIDTH - RIGHT)
        + _text(LEFT - 5, _y(up.share(tick)) + 3.5, f"{tick:.3g}", "end")
        for tick in up.ticks
    )
    drawn += Markup().join(
        Markup('<path class="grid" d="M{:.1f} {}V{}"/>').format(_x(across.share(tick)), TOP, HEIGHT - BOTTOM)
        + _text(_x(across.share(tick)), HEIGHT - BOTTOM + 13, f"{10**tick:g}")
        for tick in across.ticks
    )
    drawn += _steps([at[number] for number in front(points)])
    drawn += Markup().join(
        Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}</title></circle>').format(
            one.tone, x, y, DOT, one.says
        )
        for one, (x, y) in zip(points, at, strict=True)
    )
    beside = _beside(at, [one.label for one in points])
    drawn += Markup().join(_text(x, y, one.label) for one, (x, y) in zip(points, beside, strict=True))
    drawn += _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, below)
    svg = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return svg.format(WIDTH, HEIGHT, what, drawn)


def front(points: Sequence[Point]) -> list[int]:
    """The points that nothing beats in both figure and cost, the cheapest first. Of equal figures the cheapest.

    Costs within a quarter of each other are equal (ALIKE), as in the front of the comparison.
    """
    order = sorted(range(len(points)), key=lambda at: (points[at].cost, -points[at].value, at))
    kept: list[int] = []
    for at in order:
        best = max(one.value for one in points if one.cost <= ALIKE * points[at].cost)
        if points[at].value == best and (not kept or best > points[kept[-1]].value):
            kept.append(at)
    return kept


def _across(points: Sequence[Point]) -> Scale:
    """The logarithms of the costs."""
    logs = [math.log10(one.cost) for one in points]
    room = max(0.08 * (max(logs) - min(logs)), 0.2)  # so wide that a round number lies within
    low, high = min(logs) - room, max(logs) + room
    marks = (math.log10(one) + tens for tens in range(math.floor(low), math.ceil(high)) for one in ROUND_LOG)
    ticks = [mark for mark in marks if low <= mark <= high]
    few = ticks if high - low < 2 else [mark for mark in ticks if abs(mark - round(mark)) < 1e-9]
    return Scale(low=low, high=high, ticks=tuple(few))


def _steps(at: Sequence[tuple[float, float]]) -> Markup:
    """What is the best to be had for so much: level until the next better point."""
    (x, y), *_ = at
    parts = [f"M{x:.1f} {y:.1f}", *(f"H{x:.1f}V{y:.1f}" for _, (x, y) in pairwise(at)), f"H{WIDTH - RIGHT}"]
    return Markup('<path class="front" d="{}"/>').format("".join(parts))


def _beside(at: Sequence[tuple[float, float]], labels: Sequence[str]) -> list[tuple[float, float]]:
    """Where each label goes: of the places around its point that lie within the axes, the one that is furthest from
    other points and labels.
    """
    around = [(11.0, 3.5), (-11.0, 3.5), (0.0, -8.0), (0.0, 15.0), (9.0, -6.0), (-9.0, -6.0), (9.0, 13.0), (-9.0, 13.0)]
    taken: list[tuple[float, float]] = []
    for (x, y), label in zip(at, labels, strict=True):
        wide = 1 + 0.2 * (len(label) - 1)
        beside = [(x + wide * aside, y + down) for aside, down in around]
        places = [place for place in beside if _within(*place)] or beside
        others = [*((there, under + 3.5) for there, under in at if (there, under) != (x, y)), *taken]
        taken.append(max(places, key=lambda place: min((math.dist(place, one) for one in others), default=0.0) // 12))
    return taken


def _within(x: float, y: float) -> bool:
    """Whether a label there stays clear of what is written along the axes."""
    return x > LEFT + LABEL and y < HEIGHT - BOTTOM - 1


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _text(x: float, y: float, words: str, anchor: str = "middle") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, words)
