"""The leaderboard: entries side by side on the same queries, and which of their differences are real.

In: what became of every query under each entry, one table a seed. Out: a `Comparison`.
Never: compares what was measured in two ways, reads a file, or draws anything.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from lookalike.retrieval.significance import FLIPS, Difference, differences, holm, over_seeds
from lookalike.settings import DataError

SAME = (
    "match",
    "query_view",
    "gallery_view",
    "left_out",
    "split_rule",
    "split",
)  # the rest of a protocol is a method's own
COSTS = ("milliseconds_per_image", "megabytes")  # of the front
ALIKE = 1.25  # times: one network timed twice differs by so much, so that costs no further apart are equal
LEVEL = 0.05  # a corrected p below it is a difference
FLIPS_A_PAIR = 50  # or Holm's factor would lift even the smallest p that so many flips can give above the level


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One method, by all its runs that differ in nothing but the seed."""

    name: str
    label: str
    tables: tuple[pl.DataFrame, ...]  # of the queries, one a seed
    seeds: tuple[int, ...]
    dataset: str
    protocol: Mapping[str, Any]
    cost: Mapping[str, float | None]
    learns: bool  # False: nothing in it is left to chance, so one run is all there is

    @property
    def one_seed(self) -> bool:
        """It learns and has one seed only: its figures say nothing of another training."""
        return self.learns and len(self.tables) == 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the leaderboard."""

    entry: Entry
    value: float
    low: float
    high: float
    spread: float | None  # standard deviation of the seeds' means; None of one seed
    against: Difference | None  # this one less the reference, its p uncorrected; None of the reference itself
    p_holm: float | None  # the p of `against`, corrected as `compare` says
    best: bool  # the top one, and who is not significantly worse
    on_front: bool  # as `front` says


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A leaderboard."""

    metric: str
    dataset: str
    protocol: Mapping[str, Any]  # what the entries share of it
    queries: int
    rows: tuple[Row, ...]  # best first, equals by name
    pairs: Mapping[tuple[str, str], Difference]  # the first less the second, both ways round; p is Holm's over all
    against: str  # the reference's name
    family: int  # how many comparisons each p_holm is corrected for: those with a named reference, else all pairs

    @property
    def winner(self) -> str:
        """Who is significantly better than every other, the only name to set in bold; "" where nobody is."""
        top, *others = self.rows
        return top.entry.name if others and not any(row.best for row in others) else ""


def compare(entries: Sequence[Entry], *, metric: str = "recall@1", against: str = "", seed: int = 0) -> Comparison:
    """Order the entries by a metric, and tell which of their differences are more than chance.

    The `pairs` are one family: their p are corrected over all of them. A row's `p_holm` is of another family where `against`
    names the reference: the comparisons with that one alone, which are fewer; and if that one is the top, `best` and `winner`
    go by it too, as it was named before the figures were seen. With no name the top is the reference; it was chosen by looking
    at the figures, so every pair had its chance to be the one looked at, and everything is corrected over all pairs.
    """
    _refuse_unlike(entries)
    _refuse_unknown(entries, against)
    _refuse_other_queries(entries, metric)
    ranked = sorted(entries, key=lambda entry: (-float(_values(entry, metric).mean()), entry.name))
    values, clusters = [_values(entry, metric) for entry in ranked], _clusters(ranked[0])
    measured = _measured(ranked, values, clusters, seed)
    top, reference = ranked[0].name, against or ranked[0].name
    pairs = _corrected(measured)
    family = _corrected({pair: one for pair, one in measured.items() if reference in pair}) if against else pairs
    decides = family if top == reference else pairs
    ends = over_seeds(values, clusters, seed=seed)
    cheap = front([float(each.mean()) for each in values], [entry.cost for entry in ranked])
    rows = [
        Row(
            entry=entry,
            value=float(values[at].mean()),
            low=max(ends[at][0], 0.0),  # every figure is a share: what few seeds cannot tell ends there
            high=min(ends[at][1], 1.0),
            spread=_spread(values[at]),
            against=measured.get((entry.name, reference)),
            p_holm=family[entry.name, reference].p if entry.name != reference else None,
            best=entry.name == top or decides[top, entry.name].p >= LEVEL,
            on_front=cheap[at],
        )
        for at, entry in enumerate(ranked)
    ]
    return Comparison(
        metric=metric,
        dataset=ranked[0].dataset,
        protocol={field: ranked[0].protocol.get(field) for field in SAME},
        queries=len(clusters),
        rows=tuple(rows),
        pairs=pairs,
        against=reference,
        family=len(family) // 2,
    )


def front(values: Sequence[float], costs: Sequence[Mapping[str, float | None]]) -> list[bool]:
    """Who is on the Pareto front of the metric, the milliseconds an image and the megabytes.

    On it is whom nobody beats: no other has as good a metric (higher is better) and as low costs, and one of the three
    better. Costs within a quarter of each other (ALIKE) are equal; the metric goes by its figure as it stands, real
    differences or not. Whose costs are not all told is not on it, and keeps nobody from it.
    """
    points = [(value, *(_told(cost.get(name)) for name in COSTS)) for value, cost in zip(values, costs, strict=True)]
    told = [point for point in points if all(math.isfinite(one) for one in point)]
    return [point in told and not any(_beats(other, point) for other in told) for point in points]


def _told(cost: float | None) -> float:
    return math.inf if cost is None else cost


def _beats(other: tuple[float, ...], point: tuple[float, ...]) -> bool:
    """As good a metric and as low costs, and in one of them better."""
    (theirs, *low), (ours, *costs) = other, point
    as_good = theirs >= ours and all(one <= ALIKE * cost for one, cost in zip(low, costs, strict=True))
    return as_good and (theirs > ours or any(one < cost / ALIKE for one, cost in zip(low, costs, strict=True)))


def _spread(values: np.ndarray) -> float | None:
    return float(values.mean(1).std(ddof=1)) if len(values) > 1 else None


def _measured(
    entries: Sequence[Entry], values: Sequence[np.ndarray], clusters: np.ndarray, seed: int
) -> dict[tuple[str, str], Difference]:
    """The difference of every two, both ways round, p uncorrected. values (S, Q) each, in the order of entries."""
    names, learnt = [entry.name for entry in entries], [entry.learns for entry in entries]
    pairs = len(names) * (len(names) - 1) // 2
    found = differences(values, clusters, learnt=learnt, seed=seed, flips=max(FLIPS, FLIPS_A_PAIR * pairs))
    ahead = {(names[a], names[b]): one for (a, b), one in found.items()}
    return ahead | {(b, a): one.turned() for (a, b), one in ahead.items()}


def _corrected(pairs: Mapping[tuple[str, str], Difference]) -> dict[tuple[str, str], Difference]:
    """The same differences, both ways round, with Holm's p: each counts once."""
    once = sorted({(min(pair), max(pair)) for pair in pairs})
    p = dict(zip(once, holm([pairs[pair].p for pair in once]), strict=True))
    return {pair: replace(one, p=p[min(pair), max(pair)]) for pair, one in pairs.items()}


def _values(entry: Entry, metric: str) -> np.ndarray:
    """What became of each query, in the order of the pictures' ids. -> (S, Q), one row a seed."""
    return np.stack([table.sort("image")[metric].to_numpy() for table in entry.tables])


def _clusters(entry: Entry) -> np.ndarray:
    """What the pictures of each query fail and succeed with, in the order of `_values`. -> (Q,)"""
    return entry.tables[0].sort("image")["style" if entry.protocol.get("match") == "style" else "product"].to_numpy()


def _refuse_unlike(entries: Sequence[Entry]) -> None:
    """Entries of other data or other protocols have no common measure."""
    said: dict[str, list[Any]] = {"data set": [entry.dataset for entry in entries]}
    said |= {field: [entry.protocol.get(field) for entry in entries] for field in SAME}
    if len(set(said["match"])) > 1:
        del said["left_out"]  # it follows from the match, and is no second cause
    names = [entry.name for entry in entries]
    wrong = [line for what, each in said.items() if (line := _disagreement(what, each, names))]
    if wrong:
        lines = "".join(f"\n  {line}" for line in wrong)
        raise DataError(
            f"these were not measured in the same way, so no figure of one can be held against another's:{lines}\n"
            "Compare those that agree, or measure again: lookalike evaluate run=RUN dataset=... match=..."
        )


def _disagreement(what: str, said: Sequence[Any], names: Sequence[str]) -> str:
    """Who says what, where not all say the same; "" where they do."""
    kinds = list(dict.fromkeys(said))
    who = [
        f"{kind!r} in {_listed(name for name, one in zip(names, said, strict=True) if one == kind)}" for kind in kinds
    ]
    return f"{what}: {'; '.join(who)}" if len(kinds) > 1 else ""


def _listed(names: Iterable[str], most: int = 5) -> str:
    """The first few, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _refuse_unknown(entries: Sequence[Entry], against: str) -> None:
    names = [entry.name for entry in entries]
    if not names:
        raise DataError("there is nothing to compare: name at least one run")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{_listed(twice)}: two entries with one name cannot be told apart; name each once")
    if against and against not in names:
        raise DataError(f"against={against}: not among what is compared; there are {', '.join(sorted(names))}")


def _refuse_other_queries(entries: Sequence[Entry], metric: str) -> None:
    """A difference is taken query by query, so all tables must speak of the same ones."""
    tables = [(_name(entry, at), table) for entry in entries for at, table in enumerate(entry.tables)]
    for name, table in tables:
        _refuse_unmeasured(name, table, metric)
    most = max((table for _, table in tables), key=len)
    whose = next(name for name, table in tables if table is most)
    wrong = [line for name, table in tables if (line := _missing(name, table, whose, most))]
    if wrong:
        lines = "".join(f"\n  {line}" for line in wrong)
        raise DataError(
            f"these were not asked the same queries:{lines}\nMeasure them again: lookalike evaluate run=RUN"
        )


def _name(entry: Entry, at: int) -> str:
    return f"{entry.name} (seed {entry.seeds[at]})" if len(entry.tables) > 1 else entry.name


def _refuse_unmeasured(name: str, table: pl.DataFrame, metric: str) -> None:
    """DataError where a table does not hold one figure of the metric for each query."""
    figures = [column for column, kind in table.schema.items() if kind.is_float() and column != "score"]
    if metric not in figures:
        raise DataError(f"metric={metric}: {name} has no such figure; there are {', '.join(figures) or 'none'}")
    if not len(table):
        raise DataError(f"{name}: no query was scored, so there is nothing to compare; measure it again")
    if twice := len(table) - table["image"].n_unique():
        raise DataError(f"{name}: {twice} of {len(table)} queries are there twice; measure it again")
    if unknown := len(table) - int(table[metric].is_finite().sum()):
        raise DataError(f"{name}: {unknown} of {len(table)} queries have no {metric}; measure it again")


def _missing(name: str, table: pl.DataFrame, whose: str, most: pl.DataFrame) -> str:
    """How many queries one lacks that the fullest has, and the other way round; "" where they have the same."""
    ours, theirs = set(table["image"]), set(most["image"])
    if ours == theirs:
        return ""
    more = f", and has {len(ours - theirs)} that are not there" if ours - theirs else ""
    return f"{name} lacks {len(theirs - ours)} of the {len(theirs)} of {whose}{more}"
