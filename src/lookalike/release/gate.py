"""Whether a release may take the champion's place. Pure: two candidates and the rule, and a verdict with every check in it.

In: what became of each frozen test query under either, what they cost, what is wrong with the new one. Out: a `Verdict`.
Never: reads a file, opens a model, moves a pointer, or stops at the first check that does not hold.

The rule. Both were asked the same queries of the same data set version by the same protocol. In recall@1 and in map@r the
paired difference's whole 95 % interval (bootstrap over products, or styles) lies above -epsilon: the release is surely not
worse by epsilon or more. So a better one is admitted, and an equal one too where the test is large enough to tell; a worse one
is not, and neither is one of which a small test cannot tell. Truly worse by epsilon, it passes in about 1 of 40 trials
(measured: 1 of 37 with 50 products or more, 1 of 28 with 20, 1 of 14 with 8, whose interval is too narrow).
No brand and no category with ENOUGH products is worse by more than delta, surely: interval below -delta, and p, corrected by
Holm over all of them, below LEVEL. An image takes no longer than `milliseconds` and the model weighs no more than `megabytes`;
the release is whole and still gives its own vectors (verify); it has an index, of the champion's catalog where the champion
has one. Of the first champion nothing is asked that needs another. What the rule does not see: many equal ones, one after
another, may each lose a little less than epsilon; the registry's log keeps every difference, which add up there.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl

from lookalike.retrieval.comparison import LEVEL, SAME
from lookalike.retrieval.significance import FLIPS, TIE, Difference, holm, paired
from lookalike.settings import Rule

FIGURES: Final = ("recall@1", "map@r")
SLICES: Final = ("brand", "category")
ENOUGH: Final = 8  # products (or styles) of a slice; fewer prove nothing, see `chance_below`
FLIPS_A_SLICE: Final = 50  # or Holm's factor would lift even the smallest p that so many flips can give above the level
HELD: Final = 2**18  # coins held at a time
FIRST: Final = "falls away, as there is no champion yet"
MEND: Final = (
    "to compare them, train and export a run with what the champion's has there; to begin anew with another test, point "
    "paths.releases at another folder"
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What the gate is told of a release."""

    label: str  # NAME/ID
    queries: pl.DataFrame  # per_query.parquet: a row a query of the frozen test
    protocol: Mapping[str, Any]
    tested: str  # the data set version whose test was asked
    learnt: str  # the one that it learnt from
    indexed: str | None  # the one that its index holds
    cost: Mapping[str, float | None]
    slices: Sequence[str] = SLICES  # columns whose values are judged one by one
    faults: Sequence[str] = ()  # what verify found

    @property
    def cluster(self) -> str:
        """The column of what fails and succeeds together."""
        return "style" if self.protocol.get("match") == "style" else "product"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that is asked of a release, and whether it holds."""

    name: str
    holds: bool
    wanted: str
    told: str = ""  # what was found, where a figure does not say it all
    figure: float | None = None
    interval: tuple[float, float] | None = None
    bound: float | None = None


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A figure's difference among the queries of one brand or category."""

    column: str
    value: str
    metric: str
    difference: Difference  # p: of so low a difference were it truly -delta; corrected over all slices
    clusters: int
    of: str  # what they are: products or styles

    def is_worse(self, delta: float) -> bool:
        """By more than delta, surely."""
        return self.difference.high < -delta and self.difference.p < LEVEL


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate says of a release."""

    challenger: str
    champion: str | None
    reasons: tuple[Check, ...]
    words: str  # admitted for what, or refused for what
    slices: tuple[Slice, ...] = ()

    @property
    def admitted(self) -> bool:
        """Whether it may be the champion."""
        return all(one.holds for one in self.reasons)

    def figures(self) -> dict[str, Any]:
        """The checks as the registry's log keeps them."""
        return {one.name: {"figure": one.figure, "interval": one.interval, "bound": one.bound} for one in self.reasons}


def judge(challenger: Candidate, champion: Candidate | None, rule: Rule, *, seed: int = 0) -> Verdict:
    """Ask everything of a release that the rule wants; see above."""
    compared, slices = _beside(challenger, champion, rule, seed)
    reasons = (
        *compared,
        _cost(challenger, "milliseconds_per_image", "milliseconds an image", rule.milliseconds),
        _cost(challenger, "megabytes", "megabytes", rule.megabytes),
        _verified(challenger),
        _indexed(challenger, champion),
    )
    return Verdict(
        challenger=challenger.label,
        champion=champion.label if champion else None,
        reasons=reasons,
        words=_words(reasons, champion, rule),
        slices=slices,
    )


# Beside the champion


def _beside(
    challenger: Candidate, champion: Candidate | None, rule: Rule, seed: int
) -> tuple[list[Check], tuple[Slice, ...]]:
    """The checks that need a champion; where the two were not asked the same, none of their figures can be held together."""
    if champion is None:
        return _first(), ()
    same = _same_test(challenger, champion)
    opened = [_another(challenger, champion), same]
    if not same.holds:
        return [*opened, *_untold(rule)], ()
    ours, theirs = _values(challenger), _values(champion)
    clusters = _column(challenger, challenger.cluster)
    found = {name: _paired(ours[name], theirs[name], clusters, seed) for name in FIGURES}
    slices = _slices(challenger, ours, theirs, clusters, rule.delta, seed)
    whole = [_not_worse(name, one, rule.epsilon) for name, one in found.items()]
    return [*opened, *whole, *_slices_told(slices, challenger.cluster, rule.delta)], slices


def _first() -> list[Check]:
    names = ("another release", "same test", *FIGURES, "brands and categories")
    return [Check(name=name, holds=True, told=FIRST, wanted="nothing") for name in names]


def _untold(rule: Rule) -> list[Check]:
    wanted = {name: _above(rule.epsilon) for name in FIGURES} | {"brands and categories": _surely(rule.delta)}
    return [
        Check(name=name, holds=False, told="cannot be told, as the tests differ", wanted=says)
        for name, says in wanted.items()
    ]


def _another(challenger: Candidate, champion: Candidate) -> Check:
    """A release is its content, whatever it is called."""
    is_it = _id(challenger) == _id(champion)
    told = f"it is the champion already ({champion.label})" if is_it else ""
    return Check(name="another release", holds=not is_it, told=told, wanted="another one")


def _id(one: Candidate) -> str:
    return one.label.rpartition("/")[2]


def _same_test(challenger: Candidate, champion: Candidate) -> Check:
    unlike = _unlike(challenger, champion)
    faults = [*unlike, *_unmeasured(challenger), *_unmeasured(champion)]
    if not any(map(_unmeasured, (challenger, champion))):
        faults += _other_queries(challenger, champion)
    clusters = len(set(_column(challenger, challenger.cluster))) if not faults else 0
    alike = f"{len(challenger.queries)} queries of {clusters} {challenger.cluster}s of {challenger.tested}"
    return Check(
        name="same test",
        holds=not faults,
        told="; ".join(faults + [MEND] * bool(unlike)) or alike,
        wanted="the champion's",
    )


def _unlike(challenger: Candidate, champion: Candidate) -> list[str]:
    """What of data set and protocol differs."""
    said: dict[str, tuple[Any, Any]] = {"data set": (challenger.tested, champion.tested)}
    said |= {field: (challenger.protocol.get(field), champion.protocol.get(field)) for field in SAME}
    return [f"{what}: {ours!r}, the champion's {theirs!r}" for what, (ours, theirs) in said.items() if ours != theirs]


def _unmeasured(one: Candidate) -> list[str]:
    """What keeps a table from telling each figure of each query once."""
    table = one.queries
    lacking = [name for name in ("image", one.cluster, *FIGURES) if name not in table.columns]
    if lacking:
        return [f"{one.label} tells no {', '.join(lacking)} of its queries"]
    faults = [f"{one.label} was asked nothing"] * table.is_empty()
    if twice := len(table) - table["image"].n_unique():
        faults.append(f"{one.label} tells {twice} queries twice")
    for name in FIGURES:
        known = int(table[name].cast(pl.Float64, strict=False).is_finite().sum())
        faults += [f"{one.label} has no {name} of {len(table) - known} queries"] * (known < len(table))
    return faults


def _other_queries(challenger: Candidate, champion: Candidate) -> list[str]:
    ours, theirs = set(challenger.queries["image"]), set(champion.queries["image"])
    lacks = f"{len(theirs - ours)} of the champion's {len(theirs)} queries were not asked"
    more = f"{len(ours - theirs)} queries were not asked of the champion"
    return [lacks] * bool(theirs - ours) + [more] * bool(ours - theirs)


def _column(one: Candidate, name: str) -> np.ndarray:
    """A column in the order of the pictures' ids; "" where it tells nothing. -> (Q,) text"""
    return one.queries.sort("image")[name].cast(pl.String).fill_null("").to_numpy()


def _values(one: Candidate) -> dict[str, np.ndarray]:
    """The figures of each query, in the order of the pictures' ids. -> (Q,) each"""
    ordered = one.queries.sort("image")
    return {name: ordered[name].cast(pl.Float64).to_numpy() for name in FIGURES}


def _paired(ours: np.ndarray, theirs: np.ndarray, clusters: np.ndarray, seed: int) -> Difference:
    """The difference and its interval; no flips, for the gate asks nothing of the chance among equals. ours, theirs (Q,)."""
    return paired(ours[None], theirs[None], clusters, seed=seed, flips=0)


def _not_worse(name: str, found: Difference, epsilon: float) -> Check:
    return Check(
        name=name,
        holds=found.low > -epsilon,
        told="this release less the champion, query by query",
        wanted=_above(epsilon),
        figure=found.value,
        interval=(found.low, found.high),
        bound=-epsilon,
    )


def _above(epsilon: float) -> str:
    return f"above {-epsilon:+.3f}"


def _surely(delta: float) -> str:
    return f"not below {-delta:+.3f}"


# Brands and categories


def _slices(
    challenger: Candidate,
    ours: Mapping[str, np.ndarray],
    theirs: Mapping[str, np.ndarray],
    clusters: np.ndarray,
    delta: float,
    seed: int,
) -> tuple[Slice, ...]:
    """The difference within each brand and category, its p corrected over all of them. ours, theirs, clusters (Q,)."""
    cuts = list(_cuts(challenger, clusters))
    flips = max(FLIPS, FLIPS_A_SLICE * len(FIGURES) * len(cuts))
    found = []
    for column, value, among in cuts:
        within = clusters[among]
        for name in FIGURES:
            one = _paired(ours[name][among], theirs[name][among], within, seed)
            p = chance_below(ours[name][among] - theirs[name][among], within, -delta, seed=seed, flips=flips)
            found.append(
                Slice(
                    column=column,
                    value=value,
                    metric=name,
                    difference=replace(one, p=p),
                    clusters=len(set(within)),
                    of=challenger.cluster,
                )
            )
    corrected = holm([one.difference.p for one in found])
    return tuple(replace(one, difference=replace(one.difference, p=p)) for one, p in zip(found, corrected, strict=True))


def _cuts(challenger: Candidate, clusters: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Each value of each column that enough products have, and whose queries they are (Q,) bool."""
    for column in challenger.slices:
        if column not in challenger.queries.columns:
            continue
        labels = _column(challenger, column)
        for value in sorted(set(labels) - {""}):
            among = labels == value
            if len(set(clusters[among])) >= ENOUGH:
                yield column, value, among


def chance_below(values: np.ndarray, clusters: np.ndarray, bound: float, *, seed: int = 0, flips: int = FLIPS) -> float:
    """The p of a mean that lies below a bound, one-sided: how often as low a one comes where the true mean is the bound.

    Sign flips about the bound, whole clusters at once, because the pictures of one product fail and succeed together:

        s_c = sum over the queries of c of  (value - bound)        f = sum over c of  (+1 or -1)_c x s_c
        p = (1 + #{f <= sum over c of s_c}) / (1 + flips)

    This is the wild bootstrap with the null imposed (Cameron, Gelbach and Miller 2008): as the flips leave the sum of the
    squares as it is, to compare the sums is to compare their t. C clusters give no p below 2^-C, nor should they: what comes
    and goes by chance goes C times in C that often. A mean below zero that is not below the bound proves nothing.
    values, clusters (Q,).
    """
    _, member = np.unique(clusters, return_inverse=True)
    sums = np.bincount(member, weights=values - bound)
    bar = sums.sum() + TIE * np.abs(sums).sum()
    coins, reached = np.random.default_rng(seed), 0
    block = max(1, HELD // len(sums))
    for start in range(0, flips, block):
        heads = coins.random((min(block, flips - start), len(sums))) < 0.5
        reached += int((np.where(heads, -1.0, 1.0) @ sums <= bar).sum())
    return (1 + reached) / (1 + flips)


def _slices_told(slices: Sequence[Slice], of: str, delta: float) -> list[Check]:
    """Each one that is worse by a check of its own; where none is, the one that came nearest, for all."""
    if not slices:
        told = f"none has {ENOUGH} {of}s or more, so none is judged"
        return [Check(name="brands and categories", holds=True, told=told, wanted=_surely(delta), bound=-delta)]
    if worse := [one for one in slices if one.is_worse(delta)]:
        return [_slice_told(one, f"{one.column} {one.value}: {one.metric}", delta) for one in worse]
    lowest = min(slices, key=lambda one: (one.difference.p, one.difference.value))
    nearest = f"nearest to it of {len(slices) // len(FIGURES)}: {lowest.column} {lowest.value} in {lowest.metric}, "
    return [_slice_told(lowest, "brands and categories", delta, nearest)]


def _slice_told(one: Slice, name: str, delta: float, nearest: str = "") -> Check:
    found = one.difference
    return Check(
        name=name,
        holds=not one.is_worse(delta),
        told=f"{nearest}p = {found.p:.3f} by Holm, {one.clusters} {one.of}s",
        wanted=_surely(delta),
        figure=found.value,
        interval=(found.low, found.high),
        bound=-delta,
    )


# Of the release alone


def _cost(one: Candidate, cost: str, name: str, most: float) -> Check:
    told = one.cost.get(cost)
    value = float(told) if told is not None and math.isfinite(told) else None
    return Check(
        name=name,
        holds=value is not None and value <= most,
        told="not measured; export it again" if value is None else "",
        wanted=f"at most {most:g}",
        figure=value,
        bound=most,
    )


def _verified(one: Candidate) -> Check:
    faults = "; ".join(one.faults)
    return Check(name="verify", holds=not faults, told=faults, wanted="no fault")


def _indexed(challenger: Candidate, champion: Candidate | None) -> Check:
    """A server needs an index; a newer version of the champion's catalog is that catalog, another one is a mistake."""
    theirs = _catalog(champion.indexed) if champion and champion.indexed else ""
    mend = f"lookalike index {challenger.label} dataset={theirs or 'NAME'}"
    wanted = f"of {theirs}" if theirs else "there is one"
    if not challenger.indexed:
        return Check(name="index", holds=False, told=f"none: a server needs one; {mend}", wanted=wanted)
    fits = theirs in ("", _catalog(challenger.indexed))
    told = challenger.indexed if fits else f"{challenger.indexed}: not the champion's catalog; {mend}"
    return Check(name="index", holds=fits, told=told, wanted=wanted)


def _catalog(dataset: str) -> str:
    """A data set's name without its version."""
    return dataset.partition("@")[0]


# In words


def _words(reasons: Sequence[Check], champion: Candidate | None, rule: Rule) -> str:
    failed = [one.name for one in reasons if not one.holds]
    if failed:
        return f"refused: {len(failed)} of {len(reasons)} checks do not hold: {', '.join(failed)}"
    if champion is None:
        return "admitted as the first champion: there is none to be compared with"
    return _admitted_for([one for one in reasons if one.name in FIGURES], rule.epsilon)


def _admitted_for(figures: Sequence[Check], epsilon: float) -> str:
    """What the rule admitted a release for: better, equal to the last figure, or not surely either."""
    ends = {one.name: one.interval or (0.0, 0.0) for one in figures}
    better = [name for name, (low, _) in ends.items() if low > 0]
    worse = [name for name, (_, high) in ends.items() if high < 0]
    less = f"surely worse in {' and '.join(worse)}, though by less than {epsilon:g}"
    if better:
        return f"admitted: better than the champion in {' and '.join(better)}" + (f"; {less}" if worse else "")
    if worse:
        return f"admitted by the rule alone: {less}"
    if all(end == (0.0, 0.0) for end in ends.values()):
        return f"admitted as an equal: every query fares as it did, which is surely not worse by {epsilon:g}"
    return f"admitted as an equal: not shown to be better, and surely not worse by {epsilon:g} in {' and '.join(ends)}"
