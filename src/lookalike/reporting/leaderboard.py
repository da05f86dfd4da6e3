"""A comparison in words and as a table of texts: what the terminal, Markdown, the page and comparison.json say alike. Pure.

In: a `Comparison`. Out: lines, a verdict, Markdown, plain values. Never: computes a figure, or lets one stand out that is
not significantly better than every other.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lookalike.retrieval.comparison import LEVEL, Comparison, Row
from lookalike.retrieval.significance import Difference

NONE: Final = "-"  # where there is nothing to say
ONCE: Final = "*"  # stands behind the one seed of what was learnt once
LEAST_P: Final = 0.001  # below it a p is not told to the digit: it hangs on the number of permutations
COSTS: Final = {  # of metrics.json, and what they are called
    "training_minutes": "minutes",
    "milliseconds_per_image": "ms/image",
    "megabytes": "MB",
    "dimensions": "dimensions",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the leaderboard, as it is written."""

    place: str
    name: str
    seeds: str
    value: str
    interval: str
    spread: str
    difference: str
    between: str  # the difference's interval
    p: str
    word: str
    costs: tuple[str, ...]  # in the order of COSTS

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands under each of `columns`."""
        value = f"{self.value} {self.interval}"
        difference = f"{self.difference} {self.between}".strip()
        return (self.place, self.name, self.seeds, value, self.spread, difference, self.p, self.word, *self.costs)


def columns(compared: Comparison) -> tuple[str, ...]:
    """What stands over the lines."""
    value = f"{compared.metric} (95 % interval)"
    difference = f"difference to {label_of(compared, compared.against)} (95 % interval)"
    return ("place", "name", "seeds", value, "spread of seeds", difference, "p (Holm)", "so it is", *COSTS.values())


def lines(compared: Comparison) -> list[Line]:
    """The leaderboard, best first."""
    return [_line(place, row) for place, row in enumerate(compared.rows, 1)]


def _line(place: int, row: Row) -> Line:
    found = row.against
    return Line(
        place=str(place),
        name=row.entry.label,
        seeds=f"{len(row.entry.tables)}{ONCE * row.entry.one_seed}",
        value=f"{row.value:.3f}",
        interval=f"({row.low:.3f} to {row.high:.3f})",
        spread=NONE if row.spread is None else f"{row.spread:.3f}",
        difference=f"{found.value:+.3f}" if found else NONE,
        between=_between(found) if found else "",
        p=NONE if row.p_holm is None else p_value(row.p_holm),
        word=word(row),
        costs=tuple(cost(row, name) for name in COSTS),
    )


def word(row: Row) -> str:
    """What an entry is beside the reference."""
    if row.against is None or row.p_holm is None:
        return "the reference"
    if row.p_holm >= LEVEL:
        return "not distinguishable"
    return "better" if row.against.value > 0 else "worse"


def difference(found: Difference) -> str:
    """A difference with its interval."""
    return f"{found.value:+.3f} {_between(found)}"


def _between(found: Difference) -> str:
    return f"({found.low:+.3f} to {found.high:+.3f})"


def p_value(p: float) -> str:
    """A p; one below the level is never rounded onto it."""
    if p < LEAST_P:
        return f"< {LEAST_P}"
    written = f"{p:.3f}" if p < 2 * LEVEL else f"{p:.2f}"
    return f"< {LEVEL}" if p < LEVEL <= float(written) else written


def cost(row: Row, name: str) -> str:
    """One cost of an entry; older runs did not measure all of them."""
    value = row.entry.cost.get(name)
    if value is None:
        return NONE
    if name == "dimensions" or not value:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"


def label_of(compared: Comparison, name: str) -> str:
    """What an entry is called."""
    return next(row.entry.label for row in compared.rows if row.entry.name == name)


# In words


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a reader should take away."""

    level: str  # good: there is an answer; plain: there is none
    head: str
    text: str


def verdict(compared: Comparison) -> Verdict:
    """The answer of a comparison."""
    if len(compared.rows) == 1:
        return Verdict(level="plain", head="One entry alone", text="There is nothing to compare it with.")
    text = _told_of_two(compared) if len(compared.rows) == 2 else _told_of_many(compared)
    return Verdict(
        level="good" if compared.winner else "plain", head=_head(compared), text=" ".join([text, *cautions(compared)])
    )


def answer(compared: Comparison) -> str:
    """The verdict as running text."""
    said = verdict(compared)
    if len(compared.rows) != 2:
        return f"{said.head}. {said.text}"
    return f"{said.head if compared.winner else said.head.lower()}: {said.text}"


def _head(compared: Comparison) -> str:
    if compared.winner:
        others = "" if len(compared.rows) == 2 else " than every other"
        return f"{label_of(compared, compared.winner)} is better{others}"
    return "Not distinguishable" if len(compared.rows) == 2 else "No entry is better than every other"


def _told_of_two(compared: Comparison) -> str:
    first, second = compared.rows
    found = compared.pairs[first.entry.name, second.entry.name]
    p = p_value(found.p)
    return (
        f"difference {difference(found)}, p {'= ' * p[0].isdigit()}{p} by permutation "
        f"({compared.metric} of {first.entry.label} less that of {second.entry.label})."
    )


def _told_of_many(compared: Comparison) -> str:
    top, second, *_ = compared.rows
    words = Counter(word(row) for row in compared.rows if row.against)
    beside = ", ".join(f"{count} {said}" for said, count in words.most_common())
    counted = f"Beside {label_of(compared, compared.against)}: {beside}."
    if not compared.winner:
        equals = ", ".join(row.entry.label for row in compared.rows if row.best)
        return f"At the top, none of them distinguishable from the first by {compared.metric}: {equals}. {counted}"
    found = compared.pairs[top.entry.name, second.entry.name]
    return (
        f"Its {compared.metric} is {top.value:.3f}; less that of the next, {second.entry.label}, {difference(found)}. "
        f"All its differences hold after Holm's correction over all pairs. {counted}"
    )


def cautions(compared: Comparison) -> list[str]:
    """What a reader of the figures must know besides."""
    once = sum(row.entry.one_seed for row in compared.rows)
    if not once:
        return []
    who = "One entry was" if once == 1 else f"{once} of the entries were"
    return [f"{who} learnt once ({ONCE}): what another seed would give is not in these figures."]


def on_front(compared: Comparison) -> str:
    """Who gives the most for what it costs; "" where no cost was measured."""
    names = ", ".join(row.entry.label for row in compared.rows if row.on_front)
    return f"On the Pareto front of {compared.metric}, milliseconds an image and megabytes: {names}." if names else ""


# As files


def markdown(compared: Comparison) -> str:
    """The leaderboard as Markdown."""
    told = verdict(compared)
    rule = ["---:" if number in {0, 2} or number > 7 else "---" for number in range(len(columns(compared)))]
    rows = [
        [_strong(text) if row.entry.name == compared.winner else text for text in map(_plain, line.cells)]
        for row, line in zip(compared.rows, lines(compared), strict=True)
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in ([*map(_plain, columns(compared))], rule, *rows))
    return (
        f"# {_plain(told.head)}\n\n{_plain(told.text)}\n\n{table}\n\n"
        f"{compared.queries} queries of {compared.dataset}. {_plain(on_front(compared))}\n\n{' '.join(READING)}\n"
    )


READING: Final = (
    "Intervals are 95 %, by bootstrap over whole products (or styles), whose pictures succeed and fail together.",
    "A difference is taken query by query on the same queries; its p says how often chance alone would make one so large, "
    "with signs flipped product by product, and the seeds' spread added where there are several.",
    "Holm's correction raises each p for the number of comparisons made, so that a false alarm anywhere among them stays as "
    f"rare as 1 in 20; below {LEVEL} a difference is called better or worse, else not distinguishable. Intervals are each "
    "difference's own and not corrected: one may leave out 0 where the corrected p finds no difference.",
)


def _plain(text: str) -> str:
    """A text that Markdown shows as it is: a run's label may hold signs of its own."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def _strong(text: str) -> str:
    return f"**{text}**"


def told(compared: Comparison, folders: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """As comparison.json holds it. folders: the runs of each entry by its name."""
    return {
        "metric": compared.metric,
        "dataset": compared.dataset,
        "protocol": dict(compared.protocol),
        "queries": compared.queries,
        "against": compared.against,
        "verdict": asdict(verdict(compared)),
        "winner": compared.winner,
        "rows": [
            _row(row, compared.metric) | {"place": place, "runs": list(folders[row.entry.name])}
            for place, row in enumerate(compared.rows, 1)
        ],
        "pairs": [
            {"first": first, "second": second, **_difference(found)}
            for (first, second), found in compared.pairs.items()
        ],
    }


def _row(row: Row, metric: str) -> dict[str, Any]:
    return {
        "name": row.entry.name,
        "label": row.entry.label,
        "seeds": list(row.entry.seeds),
        "means": list(means(row, metric)),
        "value": row.value,
        "ci95": [row.low, row.high],
        "spread": row.spread,
        "difference": _difference(row.against) if row.against else None,
        "p_holm": row.p_holm,
        "word": word(row),
        "learns": row.entry.learns,
        "not_worse_than_the_top": row.best,
        "on_front": row.on_front,
        "cost": dict(row.entry.cost),
        "method": {name: row.entry.protocol.get(name) for name in ("color_weight", "search", "similarity")},
    }


def _difference(found: Difference) -> dict[str, Any]:
    return {"value": found.value, "ci95": [found.low, found.high], "p": found.p, "seeds": list(found.seeds)}


def means(row: Row, metric: str) -> tuple[float, ...]:
    """What each seed gave."""
    return tuple(float(table[metric].mean()) for table in row.entry.tables)  # type: ignore[arg-type]
