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
FEW: Final = 20  # products or styles: with fewer, hardly any difference can show
NAMED: Final = 3  # of many, where the table names them all
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


@dataclass(frozen=True, kw_only=True)
class Column:
    """What stands over one cell of every line."""

    title: str
    group: str = ""  # columns that are read together; "" is read with every group
    left: bool = False  # words stand on the left, figures on the right


GROUPS: Final = ("figure", "difference", "cost")  # where all columns are too wide, a table each


def columns(compared: Comparison) -> tuple[Column, ...]:
    """What stands over the lines."""
    difference = f"difference to {label_of(compared, compared.against)} (95 % interval)"
    return (
        Column(title="place"),
        Column(title="name", left=True),
        Column(title="seeds", group="figure"),
        Column(title=f"{compared.metric} (95 % interval)", group="figure"),
        Column(title="spread of seeds", group="figure"),
        Column(title=difference, group="difference"),
        Column(title="p (Holm)", group="difference"),
        Column(title="so it is", group="difference", left=True),
        *(Column(title=title, group="cost") for title in COSTS.values()),
    )


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
        difference=signed(found.value) if found else NONE,
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
    return f"{signed(found.value)} {_between(found)}"


def _between(found: Difference) -> str:
    return f"({signed(found.low)} to {signed(found.high)})"


def signed(value: float) -> str:
    """A difference; what is rounded to nothing has no sign."""
    written = f"{value:+.3f}"
    return written if float(written) else written[1:]


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


def _all_alike(compared: Comparison) -> bool:
    """Of many, no two are told apart."""
    return len(compared.rows) > 2 and _like_the_reference(compared) and not _pairs_apart(compared)


def _like_the_reference(compared: Comparison) -> bool:
    """No entry is told apart from it."""
    return {word(row) for row in compared.rows if row.against} == {"not distinguishable"}


def _pairs_apart(compared: Comparison) -> int:
    """How many pairs are told apart; each stands there both ways round."""
    return sum(found.p < LEVEL for found in compared.pairs.values()) // 2


def answer(compared: Comparison) -> str:
    """The verdict as running text."""
    said = verdict(compared)
    if _all_alike(compared):
        return f"{said.head}: {said.text}"
    if len(compared.rows) != 2:
        return f"{said.head}. {said.text}"
    return f"{said.head if compared.winner else said.head.lower()}: {said.text}"


def _head(compared: Comparison) -> str:
    if compared.winner:
        others = "" if len(compared.rows) == 2 else " than every other"
        return f"{label_of(compared, compared.winner)} is better{others}"
    if _all_alike(compared):
        return "No difference"
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
    if _all_alike(compared):
        return f"all {len(compared.rows)} are not distinguishable."
    top, second, *_ = compared.rows
    if compared.against == top.entry.name and _like_the_reference(compared):
        pairs = f"of all {len(compared.pairs) // 2} pairs {_pairs_apart(compared)} can be told apart"
        return f"None is distinguishable from {top.entry.label}, the first, by {compared.metric}; {pairs}."
    words = Counter(word(row) for row in compared.rows if row.against)
    beside = ", ".join(f"{count} {said}" for said, count in words.most_common())
    counted = f"Beside {label_of(compared, compared.against)}: {beside}."
    if not compared.winner:
        equals = ", ".join(row.entry.label for row in compared.rows if row.best)
        return f"At the top, none of them distinguishable from the first by {compared.metric}: {equals}. {counted}"
    found = compared.pairs[top.entry.name, second.entry.name]
    return (
        f"Its {compared.metric} is {top.value:.3f}; less that of the next, {second.entry.label}, {difference(found)}. "
        f"All its differences hold after Holm's correction over {_over(compared)}. {counted}"
    )


def cautions(compared: Comparison) -> list[str]:
    """What a reader of the figures must know besides."""
    return [*_learnt_once(compared), *_few(compared)]


def _learnt_once(compared: Comparison) -> list[str]:
    once = sum(row.entry.one_seed for row in compared.rows)
    if not once:
        return []
    who = "One entry was" if once == 1 else f"{once} of the entries were"
    return [f"{who} learnt once ({ONCE}): what another seed would give is not in these figures."]


def _few(compared: Comparison) -> list[str]:
    """Where so few products or styles carry the queries that the flips of their signs leave little to be found."""
    what = "style" if compared.protocol.get("match") == "style" else "product"
    count = compared.rows[0].entry.tables[0][what].n_unique()
    if len(compared.rows) == 1 or count >= FEW:
        return []
    return [f"Only {count} {what}{'s' * (count != 1)}: little can be found."]


def puzzles(compared: Comparison) -> str:
    """One sentence where an interval leaves out 0 beside "not distinguishable"; "" where none does."""
    names = [row.entry.label for row in compared.rows if _puzzles(row)]
    if not names:
        return ""
    corrected = f" and corrected for {compared.family} comparisons" if compared.family > 1 else ""
    return (
        f"An interval leaves out 0 where no difference is told ({_listed(names)}): intervals are each difference's own; "
        f"p is by permutation{corrected}."
    )


def _listed(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _puzzles(row: Row) -> bool:
    """By the figures as they are written: an end that reads 0.000 leaves out nothing."""
    found = row.against
    if found is None or word(row) != "not distinguishable":
        return False
    return float(signed(found.low)) > 0 or float(signed(found.high)) < 0


def _over(compared: Comparison) -> str:
    """What the p of the lines are corrected for."""
    every = compared.family == len(compared.pairs) // 2
    return "all pairs" if every else f"the {compared.family} comparisons with it"


def on_front(compared: Comparison) -> str:
    """Who gives the most for what it costs; "" where no cost was measured."""
    names = ", ".join(row.entry.label for row in compared.rows if row.on_front)
    if not names:
        return ""
    return (
        f"On the Pareto front of {compared.metric}, milliseconds an image and megabytes "
        f"(costs within a quarter count as equal): {names}."
    )


# As files


def markdown(compared: Comparison, notes: Sequence[str] = ()) -> str:
    """The leaderboard as Markdown. notes: what is to be known of the runs."""
    told = verdict(compared)
    over = columns(compared)
    rule = ["---" if one.left else "---:" for one in over]
    rows = [
        [_strong(text) if row.entry.name == compared.winner else text for text in map(_plain, line.cells)]
        for row, line in zip(compared.rows, lines(compared), strict=True)
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in ([_plain(one.title) for one in over], rule, *rows))
    aside = f"{_plain(puzzles(compared))}\n\n" if puzzles(compared) else ""
    return (
        f"# {_plain(told.head)}\n\n{_plain(told.text)}\n\n{table}\n\n{aside}"
        f"{compared.queries} queries of {compared.dataset}. {_plain(on_front(compared))}\n\n{' '.join(READING)}\n"
        + "".join(f"\n- {_plain(note)}" for note in notes)
        + "\n" * bool(notes)
    )


READING: Final = (
    "Intervals are 95 %, by bootstrap over whole products (or styles), whose pictures succeed and fail together; where all "
    "succeed or all fail, by Clopper and Pearson.",
    "A difference is taken query by query on the same queries; its p says how often chance alone would make one so large, "
    "with signs flipped product by product, and the seeds' spread added where there are several: from three entries on no "
    "entry's counts for less than that of all together.",
    "Holm's correction raises each p for the number of comparisons made, so that a false alarm anywhere among them stays as "
    f"rare as 1 in 20; below {LEVEL} a difference is called better or worse, else not distinguishable. Intervals are each "
    "difference's own and not corrected: one may leave out 0 where the corrected p finds no difference.",
)


def _plain(text: str) -> str:
    """A text that Markdown shows as it is: a run's label may hold signs of its own."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def _strong(text: str) -> str:
    return f"**{text}**"


def told(compared: Comparison, folders: Mapping[str, Sequence[str]], notes: Sequence[str] = ()) -> dict[str, Any]:
    """As comparison.json holds it. folders: the runs of each entry by its name; notes: what is to be known of them."""
    return {
        "metric": compared.metric,
        "dataset": compared.dataset,
        "protocol": dict(compared.protocol),
        "queries": compared.queries,
        "against": compared.against,
        "verdict": asdict(verdict(compared)),
        "notes": list(notes),
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
