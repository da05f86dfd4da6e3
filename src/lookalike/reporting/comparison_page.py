"""A comparison as one page: the answer, every entry with its interval, all pairs, costs, slices, and how to read it.

In: a `Comparison`, and what metrics.json of each entry's runs holds. Out: one HTML text that needs no other file and no
network. Never: computes whether a difference is real, or lets a figure stand out that is not significantly better.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from lookalike.reporting import leaderboard, plots
from lookalike.reporting.plots import Point, Span
from lookalike.retrieval.comparison import LEVEL, Comparison, Row

PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("lookalike", "reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
JOINTS: Final = re.compile(r"(?<=[-_/])(?=[^-_/])|(?<=[^\W_]{16})(?=[^\W_])")  # in a long word every few letters
EQUAL: Final = 1.01  # times: costs no further apart make no chart
MOST_BESIDE = 30  # entries side by side, a column each
MOST_SLICES = 20  # values of a column, those of the most queries
SLICED: Final = "recall@1"  # of a slice, where it has not the metric itself
FAINT, STRONG = 12, 60  # per cent of a tone behind the smallest and the largest figure of a heat table
PLOTTED: Final = {
    "milliseconds_per_image": ("milliseconds an image", "to embed it, on the machine of its run"),
    "megabytes": ("megabytes", "of weights"),
}
RULES: Final = ("twin", "query", "gallery", "self", "no_twin", "ties", "split", "split_rule", "intervals")
METHOD: Final = ("similarity", "search")  # of a protocol, each entry's own


def breaks(name: str) -> Markup:
    """A name that a line may break at its joints, and nowhere within a word."""
    return Markup("<wbr>").join(escape(part) for part in JOINTS.split(name))


PAGES.filters["breaks"] = breaks


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One figure of a heat table."""

    text: str
    heat: int = 0  # per cent of the tone behind it; 0 is none
    tone: str = ""
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class Slices:
    """The values of one column, each with its queries and a cell for each entry."""

    column: str
    metric: str
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...]
    more: int  # values that are not shown


def render(
    compared: Comparison,
    metrics: Mapping[str, Sequence[Mapping[str, Any]]],
    folders: Mapping[str, Sequence[str]],
    *,
    made: datetime,
    notes: Sequence[str] = (),
) -> str:
    """The page. metrics, folders: by an entry's name, what metrics.json of each of its runs holds, and where they lie.

    notes: what is to be known of the runs.
    """
    return PAGES.get_template("comparison.html.j2").render(
        compared=compared,
        made=made,
        notes=notes,
        verdict=leaderboard.verdict(compared),
        reference=leaderboard.label_of(compared, compared.against),
        costs=list(leaderboard.COSTS.values()),
        lines=list(zip(compared.rows, leaderboard.lines(compared), strict=True)),
        strips=strips(compared),
        beside=compared.rows[:MOST_BESIDE],
        pairs=pairs(compared),
        panels=list(_panels(compared)),
        level_costs=[said for cost in PLOTTED if (said := _alike(compared, cost))],
        puzzles=leaderboard.puzzles(compared),
        slices=slices(compared, metrics),
        rules=_told(compared.rows[0].entry.protocol, RULES),
        methods=[_told(row.entry.protocol, METHOD) for row in compared.rows],
        folders=folders,
        level=LEVEL,
        reading=leaderboard.READING,
        front=leaderboard.on_front(compared),
    )


def _told(protocol: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    return {name.replace("_", " "): str(protocol[name]) for name in names if protocol.get(name)}


# Each entry with its interval


@dataclass(frozen=True, kw_only=True)
class Strips:
    """Two columns of strips, a row an entry: what it reached, and that less the reference's; the axes stand below."""

    values: tuple[Markup, ...]
    differences: tuple[Markup, ...]
    value_axis: Markup
    difference_axis: Markup


def strips(compared: Comparison) -> Strips:
    """All figures on one scale, and all differences on another."""
    spans = [_span(row, compared.metric) for row in compared.rows]
    apart = [_apart(row) for row in compared.rows]
    along = plots.scale([at for one in spans for at in (one.low, one.high, *one.dots)])
    beside = plots.scale([0.0, *(at for one in apart for at in (one.low, one.high))])
    mark = next(row.value for row in compared.rows if row.entry.name == compared.against)
    return Strips(
        values=tuple(plots.strip(one, along, mark) for one in spans),
        differences=tuple(plots.strip(one, beside, 0.0) for one in apart),
        value_axis=plots.axis(along, lambda tick: f"{tick:.3g}"),
        difference_axis=plots.axis(beside, lambda tick: f"{tick:+.3g}" if abs(tick) > 1e-9 else "0"),
    )


def _span(row: Row, metric: str) -> Span:
    dots = leaderboard.means(row, metric) if len(row.entry.tables) > 1 else ()
    says = f"{row.entry.label}: {row.value:.3f} ({row.low:.3f} to {row.high:.3f})"
    return Span(value=row.value, low=row.low, high=row.high, dots=dots, tone=_tone(row), says=says)


def _apart(row: Row) -> Span:
    if row.against is None or row.p_holm is None:
        return Span(value=0.0, low=0.0, high=0.0, says=f"{row.entry.label}: the reference")
    p = leaderboard.p_value(row.p_holm)
    says = f"{row.entry.label}: {leaderboard.difference(row.against)}, p {p}: {leaderboard.word(row)}"
    return Span(value=row.against.value, low=row.against.low, high=row.against.high, tone=_tone(row), says=says)


def _tone(row: Row) -> str:
    word = leaderboard.word(row)
    return word if word in {"better", "worse"} else ""


# All pairs


def pairs(compared: Comparison) -> list[tuple[Cell, ...]]:
    """A row and a column an entry: the row's figure less the column's. What is not significant has no color."""
    names = [row.entry.name for row in compared.rows[:MOST_BESIDE]]
    most = max((abs(one.value) for one in compared.pairs.values()), default=0.0) or 1.0
    return [tuple(_pair(compared, ours, theirs, most) for theirs in names) for ours in names]


def _pair(compared: Comparison, ours: str, theirs: str, most: float) -> Cell:
    if ours == theirs:
        return Cell(text="")
    found = compared.pairs[ours, theirs]
    label = f"{leaderboard.label_of(compared, ours)} less {leaderboard.label_of(compared, theirs)}"
    says = f"{label}: {leaderboard.difference(found)}, p {leaderboard.p_value(found.p)}"
    text = leaderboard.signed(found.value)
    if found.p >= LEVEL:
        return Cell(text=text, says=says)
    tone = "better" if found.value > 0 else "worse"
    return Cell(text=text, heat=_heat(abs(found.value) / most), tone=tone, says=says)


def _heat(share: float) -> int:
    return round(FAINT + share * (STRONG - FAINT))


# What it costs


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A figure against one cost."""

    title: str
    about: str
    plot: Markup
    unknown: int  # entries whose cost was not measured


def _panels(compared: Comparison) -> Iterator[Panel]:
    for cost, (title, about) in PLOTTED.items():
        known = [(place, row) for place, row in enumerate(compared.rows, 1) if row.entry.cost.get(cost)]
        if _alike(compared, cost):
            continue
        points = [_point(place, row, cost) for place, row in known]
        if points:
            plot = plots.scatter(points, f"{compared.metric} against {title}", f"{title}, logarithmic")
            yield Panel(title=title, about=about, plot=plot, unknown=len(compared.rows) - len(known))


def _alike(compared: Comparison, cost: str) -> str:
    """What to say of a cost that is the same for all, so that a chart would show nothing; "" where it differs."""
    told = [(float(row.entry.cost[cost] or 0), row) for row in compared.rows if row.entry.cost.get(cost)]
    values = [value for value, _ in told]
    if len(told) < 2 or max(values) > EQUAL * min(values):
        return ""
    who = "All" if len(told) == len(compared.rows) else f"The {len(told)} that were measured"
    return f"{who} have the same {PLOTTED[cost][0]} ({leaderboard.cost(told[0][1], cost)}), so there is no chart of it."


def _point(place: int, row: Row, cost: str) -> Point:
    value = float(row.entry.cost[cost] or 0)
    says = f"{place} {row.entry.label}: {row.value:.3f} at {leaderboard.cost(row, cost)}"
    return Point(cost=value, value=row.value, label=str(place), tone=_tone(row), says=says)


# Slices


def slices(compared: Comparison, metrics: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Slices]:
    """The slices that metrics.json tells of, an entry a column; of several seeds their mean."""
    told = [[one.get("slices", {}) for one in metrics[row.entry.name]] for row in compared.rows[:MOST_BESIDE]]
    columns = dict.fromkeys(column for seeds in told for one in seeds for column in one)
    found = (_slice(column, [[one.get(column, {}) for one in seeds] for seeds in told], compared) for column in columns)
    return [one for one in found if len(one.rows) > 1]


def _slice(column: str, told: Sequence[Sequence[Mapping[str, Any]]], compared: Comparison) -> Slices:
    """One column. told: of each entry, of each seed: by value, by metric."""
    every = {value: figures for seeds in told for one in seeds for value, figures in one.items()}
    metric = compared.metric if all(compared.metric in figures for figures in every.values()) else SLICED
    queries = {value: int(figures[metric]["queries"]) for value, figures in every.items()}
    shown = sorted(queries, key=lambda value: (-queries[value], value))[:MOST_SLICES]
    figures = {value: [_mean(seeds, value, metric) for seeds in told] for value in shown}
    reached = [one for values in figures.values() for one in values if one is not None]
    low, high = min(reached, default=0.0), max(reached, default=0.0)
    labels = [row.entry.label for row in compared.rows]
    rows = tuple(
        (
            value,
            queries[value],
            tuple(
                _sliced(one, low, high, f"{label}, {value}") for one, label in zip(figures[value], labels, strict=False)
            ),
        )
        for value in shown
    )
    return Slices(column=column, metric=metric, rows=rows, more=len(queries) - len(shown))


def _mean(seeds: Sequence[Mapping[str, Any]], value: str, metric: str) -> float | None:
    """The mean over seeds of a slice's figure; None where one of them has no such slice."""
    found = [one[value][metric]["value"] for one in seeds if value in one]
    return mean(found) if found and len(found) == len(seeds) else None


def _sliced(value: float | None, low: float, high: float, whose: str) -> Cell:
    if value is None:
        return Cell(text=leaderboard.NONE)
    share = (value - low) / (high - low) if high > low else 0.0
    return Cell(text=f"{value:.3f}", heat=_heat(share), tone="level", says=f"{whose}: {value:.3f}")
