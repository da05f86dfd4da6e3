"""All that can be seen of a run, on one page that needs nothing else.

In: what a run folder holds, and what was found by looking again: pictures, causes, a map, the color dial. Out: one HTML
text, and the numbers on it. Never: measures, searches or decodes; or links anything outside itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import jinja2
import yaml
from markupsafe import Markup

from lookalike.reporting import curves
from lookalike.reporting.curves import Line, interval_bar
from lookalike.reporting.embedding_map import Coloring, Plane, radius
from lookalike.reporting.failures import Count
from lookalike.reporting.run_page import PANELS, choices
from lookalike.reporting.tiles import Sprite
from lookalike.retrieval.dial import Turn
from lookalike.retrieval.reliance import Reliance
from lookalike.retrieval.significance import Difference
from lookalike.retrieval.slices import PRICE

PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("lookalike", "reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
HEAD: Final = "recall@1"
CHIPS: Final = ("recall@1", "recall@5", "map@r", "mrr")  # the figures at the top
ORDER: Final = (
    "recall@1",
    "recall@5",
    "recall@10",
    "recall@20",
    "precision@1",
    "map@r",
    "r_precision",
    "mrr",
    "ndcg@10",
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture on the page."""

    image: str
    source: str  # a data URI
    caption: str
    sign: str = ""  # twin, stranger, or "" of a query


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A query and what it was given."""

    query: Shown
    given: tuple[Shown, ...]
    says: str
    there: tuple[Shown, ...] = ()  # what the other run gave it


@dataclass(frozen=True, kw_only=True)
class Group:
    """Queries of one kind."""

    title: str
    says: str
    asked: tuple[Asked, ...]
    total: int

    @property
    def more(self) -> int:
        """How many there are that are not shown."""
        return self.total - len(self.asked)


@dataclass(frozen=True, kw_only=True)
class Against:
    """This run beside another, on the same queries."""

    name: str
    value: float  # what the other run has
    difference: Difference
    broken: Group
    mended: Group


@dataclass(frozen=True, kw_only=True)
class Map:
    """The test pictures on a plane."""

    plane: Plane
    points: Sequence[Mapping[str, Any]]
    colorings: tuple[Coloring, ...]
    sprite: Sprite
    pictures: int  # in the split


@dataclass(frozen=True, kw_only=True)
class Dial:
    """How the run fares from shape alone to color alone."""

    turns: tuple[Turn, ...]
    chosen: float | None  # the weight that val likes best
    val: Mapping[float, float]  # val's map@r by weight
    own: float  # the run's own weight
    left_out: tuple[str, ...] = ()  # what cannot be asked of this data set, in words


@dataclass(frozen=True, kw_only=True)
class Report:
    """What stands on the page."""

    title: str
    dataset: str
    metrics: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    runs: int = 1  # of its name, where that name was asked for and the newest of them taken
    settings: Mapping[str, Any]
    gallery: tuple[Group, ...] = ()
    causes: tuple[Count, ...] = ()
    examples: Mapping[str, Group] = field(default_factory=dict)  # by the cause's name
    words: Mapping[str, str] = field(default_factory=dict)  # what makes a picture poor
    against: Against | None = None
    map: Map | None = None
    dial: Dial | None = None
    reliance: tuple[Reliance, ...] = ()


def render(report: Report) -> str:
    """The page."""
    return PAGES.get_template("report.html.j2").render(
        report=report,
        of_name=of_name(report),
        split=_split(report),
        search=report.metrics["protocol"].get("search", "exact"),
        test=_figures(report.metrics[_split(report)]),
        val=_figures(report.metrics.get("val", {})),
        verdict=verdict(report),
        chips=[(name, told) for name, told in _figures(report.metrics[_split(report)]).items() if name in CHIPS],
        products={how: _figures(told) for how, told in report.metrics.get("products", {}).items()},
        slices=_slices(report.metrics["slices"]),
        choices=choices(report.metrics["chosen"]),
        panels=_panels(report.history),
        interval_bar=interval_bar,
        misses=report.causes[0].misses if report.causes else 0,
        unseen=", ".join(one.cause.title.lower() for one in report.causes if not one.fits),
        map_data=_map_data(report.map),
        radius=radius,
        dial=_dial_chart(report.dial) if report.dial else "",
        settings=yaml.safe_dump(dict(report.settings), sort_keys=False, allow_unicode=True),
        percent=percent,
        told=_told_value,
    )


def of_name(report: Report) -> str:
    """Which of a name's runs it is; "" where there is one alone."""
    if report.runs < 2:
        return ""
    return f"seed {report.environment.get('seed', 0)}, the newest of {report.runs} runs of this name"


def numbers(report: Report) -> dict[str, Any]:
    """What report.json holds: the numbers of the page that stand in no other file of the run."""
    return {
        "run": report.title,
        "dataset": report.dataset,
        HEAD: dict(report.metrics[_split(report)][HEAD]),
        "failures": {count.cause.name: count.told() for count in report.causes},
        "against": _against(report.against),
        "map": {"pictures": len(report.map.points), "trustworthiness": report.map.plane.kept} if report.map else None,
        "dial": _dial(report.dial),
        "reliance": {
            one.change: {HEAD: one.recall.told(), "fall": one.fall.told(), "cosine": one.cosine.told()}
            for one in report.reliance
        },
    }


def verdict(report: Report) -> dict[str, str]:
    """What a reader should take away: a headline, a sentence, and how serious it is."""
    metrics, found = report.metrics, report.metrics[_split(report)][HEAD]
    counts = metrics[_split(report)]
    sure = f"The 95 % interval is {percent(found['ci95'][0])} to {percent(found['ci95'][1])}"
    text = f"{sure}; {counts['queries']:,} queries among {counts['gallery']:,} pictures."
    told = {
        "level": "",
        "head": f"{percent(found['value'])} % of the queries find their {metrics['protocol']['match']} first",
        "text": text,
    }
    if "baseline" not in metrics:
        return told
    level, words = _beside(found, metrics["baseline"]["test"][HEAD])
    return {**told, "level": level, "text": f"{text} To be beaten: {metrics['baseline']['what']}, {words}"}


def _beside(found: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str]:
    """How a figure stands to the one that is to be beaten. Intervals that overlap tell nothing apart."""
    said = f"{percent(other['value'])} % ({percent(other['ci95'][0])} to {percent(other['ci95'][1])})."
    if found["ci95"][0] > other["ci95"][1]:
        return "good", f"{said} It is beaten, even by the intervals."
    if found["ci95"][1] < other["ci95"][0]:
        return "bad", f"{said} It is not: this run does worse."
    return "fair", f"{said} The intervals overlap, so they do not show that this run beats it."


def percent(value: float) -> str:
    """A share as a person reads it."""
    return f"{100 * value:.1f}"


def _split(report: Report) -> str:
    return str(report.metrics["protocol"]["split"])


def _figures(told: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a split, in the order in which a person reads them: a file's names are in that of the alphabet."""
    names = [*ORDER, *(name for name in told if name not in ORDER)]
    return {name: told[name] for name in names if isinstance(told.get(name), Mapping)}


def _slices(told: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """What there is to be compared: prices from low to high, any other column by its queries, most first."""
    orders: Mapping[str, Callable[[tuple[str, Any]], Any]] = {PRICE: _price}
    return {
        column: sorted(values.items(), key=orders.get(column, lambda one: (-one[1][HEAD]["queries"], one[0])))
        for column, values in told.items()
        if len(values) > 1
    }


def _price(one: tuple[str, Any]) -> tuple[str, float, bool]:
    """Where a band of prices stands: "up to 120 USD" before "120 to 140 USD", "over 140 USD" after it."""
    band = one[0]
    number = re.search(r"\d+(?:\.\d+)?", band)
    return band.split()[-1], float(number[0]) if number else 0.0, not band.startswith("up to")


def _told_value(value: Any) -> str:
    """A fact of the environment on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _panels(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """A chart for whatever was logged."""
    panels = []
    for title, along, names in PANELS:
        found = [_line(name, along, history) for name in names if any(name in line for line in history)]
        if found:
            panels.append((title, curves.lines(found, title, along=along)))
    return panels


def _line(name: str, along: str, history: Sequence[Mapping[str, Any]]) -> Line:
    few = along == "epoch"  # epochs are counted from 0
    points = tuple((float(line[along] + few), float(line[name])) for line in history if name in line)
    return Line(label=name.partition("/")[2].replace("_", " "), points=points)


def _dial_chart(dial: Dial) -> Markup:
    names = list(dial.turns[0].figures)
    told = [
        Line(
            label=f"by {name}",
            points=tuple((turn.weight, turn.figures[name].value) for turn in dial.turns),
            band=tuple((turn.figures[name].low, turn.figures[name].high) for turn in dial.turns),
        )
        for name in names
    ]
    marks = [] if dial.chosen is None else [(dial.chosen, f"val: {dial.chosen:g}")]
    if dial.own not in (0.0, dial.chosen):
        marks.append((dial.own, f"run: {dial.own:g}"))
    what = f"recall@1 by {' and by '.join(names)} over the weight of color"
    return curves.lines(told, what, along="weight of color", marks=marks)


def _map_data(drawn: Map | None) -> dict[str, Any]:
    """What the script reads."""
    if drawn is None:
        return {}
    legends = [
        {"column": one.column, "legend": [entry[:2] for entry in one.legend], "entry": one.entry}
        for one in drawn.colorings
    ]
    return {
        "points": drawn.points,
        "colorings": legends,
        "columns": drawn.sprite.columns,
        "rows": drawn.sprite.rows,
    }


def _against(against: Against | None) -> dict[str, Any] | None:
    if against is None:
        return None
    found = against.difference
    return {
        "run": against.name,
        HEAD: against.value,
        "difference": {"value": found.value, "ci95": [found.low, found.high], "p": found.p},
        "newly_broken": against.broken.total,
        "newly_mended": against.mended.total,
    }


def _dial(dial: Dial | None) -> dict[str, Any] | None:
    if dial is None:
        return None
    turns = [
        {"weight": turn.weight, **{name: found.told() for name, found in turn.figures.items()}} for turn in dial.turns
    ]
    val = {f"{weight:g}": value for weight, value in dial.val.items()}
    return {HEAD: turns, "chosen_on_val": dial.chosen, "val map@r": val, "own": dial.own, "left_out": dial.left_out}
