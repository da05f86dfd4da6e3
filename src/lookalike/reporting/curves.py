"""Lines with bands, and bars with intervals, as inline SVG in the page's own colors. Pure.

In: numbers and their words. Out: markup that follows dark mode and prints. Never: holds a script, or text that is not escaped.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from lookalike.reporting.charts import round_up

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 10, 24
MOST: Final = 240  # points of a line: more than a phone has pixels for; of more, neighbours are averaged
TICKS: Final = 4
TONES: Final = 3  # how many lines the style sheet tells apart

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve; `band`: low and high of each point, where they are known."""

    label: str
    points: tuple[Point, ...]
    band: tuple[Point, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """Where numbers lie on the drawing."""

    x: Point
    ticks: tuple[float, ...]  # from the foot to the top

    @property
    def y(self) -> Point:
        return self.ticks[0], self.ticks[-1]

    def across(self, value: float) -> float:
        return LEFT + _share(value, self.x) * (WIDTH - LEFT - RIGHT)

    def up(self, value: float) -> float:
        return HEIGHT - BOTTOM - _share(value, self.y) * (HEIGHT - TOP - BOTTOM)


def lines(told: Sequence[Line], what: str, *, along: str, marks: Sequence[tuple[float, str]] = ()) -> Markup:
    """Curves over one axis. `what` says in words what they show; `marks`: places of the axis that have a name."""
    drawn = [_thinned(one) for one in told if one.points]
    if not drawn:
        return Markup()
    frame = _frame(drawn)
    parts = [_grid(frame, along), *(_mark(frame, at, name) for at, name in marks)]
    parts += [_band(frame, one, tone) for tone, one in enumerate(drawn)]
    parts += [_curve(frame, one, tone) for tone, one in enumerate(drawn)]
    svg = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return svg.format(WIDTH, HEIGHT, what, Markup().join(parts)) + _legend(drawn)


def interval_bar(value: float, low: float, high: float, *, usual: float | None = None) -> Markup:
    """A bar from 0 to 1 with its interval as a whisker; `usual` is marked by a line across."""
    at, left, right = (f"{100 * min(1.0, max(0.0, one)):.2f}%" for one in (value, low, high))
    drawn = Markup('<rect class="fill" y="3" height="8" width="{}"/>').format(at)
    if usual is not None:
        x = f"{100 * usual:.2f}%"
        drawn += Markup('<line class="usual" x1="{0}" x2="{0}" y1="0" y2="14"/>').format(x)
    drawn += Markup('<line class="whisker" x1="{}" x2="{}" y1="7" y2="7"/>').format(left, right)
    for x in (left, right):
        drawn += Markup('<line class="whisker" x1="{0}" x2="{0}" y1="4" y2="10"/>').format(x)
    ground = Markup('<rect class="ground" y="3" width="100%" height="8"/>')
    return Markup('<svg class="interval" width="100%" height="14" aria-hidden="true">{}</svg>').format(ground + drawn)


def _share(value: float, ends: Point) -> float:
    low, high = ends
    return (value - low) / (high - low) if high > low else 0.5


def _thinned(line: Line) -> Line:
    """As many points as can be seen: of more, the mean of neighbours."""
    every = -(-len(line.points) // MOST)
    if every <= 1:
        return line
    groups = [line.points[start : start + every] for start in range(0, len(line.points), every)]
    means = tuple((sum(x for x, _ in some) / len(some), sum(y for _, y in some) / len(some)) for some in groups)
    return Line(label=line.label, points=means)


def _frame(told: Sequence[Line]) -> _Frame:
    xs = [x for one in told for x, _ in one.points]
    ys = [y for one in told for _, y in one.points] + [end for one in told for ends in one.band for end in ends]
    low, high = min(ys), max(ys)
    step = round_up((high - low) / TICKS or abs(high) / TICKS or 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return _Frame(x=(min(xs), max(xs)), ticks=tuple(number * step for number in range(first, max(first + 1, last) + 1)))


def _grid(frame: _Frame, along: str) -> Markup:
    drawn = Markup()
    for value in frame.ticks:
        y = frame.up(value)
        drawn += Markup('<path class="ground" d="M{} {:.1f}H{}"/>').format(LEFT, y, WIDTH - RIGHT)
        drawn += _text(LEFT - 5, y + 3.5, f"{round(value, 6):g}", "end")
    for value, anchor in zip(frame.x, ("start", "end"), strict=True):
        drawn += _text(frame.across(value), HEIGHT - 8, f"{round(value, 6):g}", anchor)
    return drawn + _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, along)


def _mark(frame: _Frame, at: float, name: str) -> Markup:
    x = frame.across(at)
    line = Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"><title>{3}</title></line>')
    end = x > WIDTH * 0.6
    words = _text(x - 4 if end else x + 4, HEIGHT - BOTTOM - 5, name, "end" if end else "start")
    return line.format(x, TOP, HEIGHT - BOTTOM, name) + words


def _band(frame: _Frame, line: Line, tone: int) -> Markup:
    if not line.band:
        return Markup()
    xs = [x for x, _ in line.points]
    upper = [(x, high) for x, (_, high) in zip(xs, line.band, strict=True)]
    lower = [(x, low) for x, (low, _) in zip(xs, line.band, strict=True)]
    return Markup('<path class="band tone{}" d="{}Z"/>').format(tone % TONES, _path(frame, [*upper, *reversed(lower)]))


def _curve(frame: _Frame, line: Line, tone: int) -> Markup:
    drawn = Markup('<path class="curve tone{}" d="{}"/>').format(tone % TONES, _path(frame, line.points))
    if len(line.points) <= 30:
        drawn += Markup().join(_dots(frame, line, tone))
    return drawn


def _dots(frame: _Frame, line: Line, tone: int) -> Iterator[Markup]:
    for place, (x, y) in enumerate(line.points):
        sure = f" ({line.band[place][0]:.3f} to {line.band[place][1]:.3f})" if line.band else ""
        dot = Markup(
            '<circle class="dot tone{}" cx="{:.1f}" cy="{:.1f}" r="2.6"><title>{} at {:g}: {:.3f}{}</title></circle>'
        )
        yield dot.format(tone % TONES, frame.across(x), frame.up(y), line.label, round(x, 6), y, sure)


def _path(frame: _Frame, points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{frame.across(x):.1f} {frame.up(y):.1f}" for x, y in points)


def _text(x: float, y: float, words: str, anchor: str = "middle") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, words)


def _legend(told: Sequence[Line]) -> Markup:
    """What each line is, where there are several."""
    if len(told) < 2:
        return Markup()
    swatch = Markup(
        '<span><svg class="swatch" width="26" height="8" aria-hidden="true">'
        '<path class="curve tone{}" d="M1 4H25"/></svg>{}</span>'
    )
    names = Markup().join(swatch.format(tone % TONES, one.label) for tone, one in enumerate(told))
    return Markup('<p class="legend">{}</p>').format(names)
