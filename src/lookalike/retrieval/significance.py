"""How sure one can be of a mean over queries, and of the difference between two.

In: values a query, one row a seed where something was trained, and the cluster (product, style) each query belongs to.
Out: intervals, differences with their p. Never: a bare figure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

DRAWS = 2000
FLIPS = 10_000
HELD = 2**18  # weights held at a time: few enough for a processor's cache
ENDS = (0.025, 0.975)
ENOUGH = 0.01  # a chance so small says that an entry is less steady than the others
SIGNS, ALONE, BOTH, FLIPPED = 1, 2, 3, 4  # each chance its own stream of random numbers
TIE = 1e-9  # of the means: sums that differ by less are equal but for rounding


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One mean less another on the same queries, its 95 % interval, and the chance of as much among equals."""

    value: float
    low: float
    high: float
    p: float
    seeds: tuple[int, int]  # of each side; 1: the chance of another training is not in here

    def turned(self) -> "Difference":
        """The same, seen from the other side."""
        return Difference(value=-self.value, low=-self.high, high=-self.low, p=self.p, seeds=self.seeds[::-1])


def interval(
    values: np.ndarray, clusters: np.ndarray, *, shares: bool = True, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """The 95 % interval of one mean, as `intervals` finds it. values, clusters (Q,) -> (low, high)."""
    low, high = intervals(values[:, None], clusters, shares=shares, seed=seed, draws=draws)[0]
    return float(low), float(high)


def intervals(
    values: np.ndarray, clusters: np.ndarray, *, shares: bool = True, seed: int = 0, draws: int = DRAWS
) -> np.ndarray:
    """The 95 % interval of the mean of each column, by percentile bootstrap over clusters.

    Whole clusters are drawn again, because the pictures of one product fail and succeed together: drawing queries one by one
    would pretend to more evidence than there is. A draw of the clusters c = 1 .. C takes each w_c times, and its mean is

        sum over c of  w_c x (sum of the values of c)  /  sum over c of  w_c x (queries of c)

    All columns share the draws, so a column's interval does not depend on its company. Of sixty that all succeed every draw
    says 1, as if no other could fail: so where shares are all 0 or all 1, the interval is that of Clopper and Pearson over
    clusters, which errs on the safe side: one failure gives a little narrower one than none. shares: whether values lie
    from 0 to 1 by their nature. values (Q, M), clusters (Q,) -> (M, 2) low and high; nan where there is nothing.
    """
    if not len(values):
        return np.full((values.shape[1], 2), np.nan)
    ends: np.ndarray = np.quantile(_drawn_means(values, clusters, draws, seed), ENDS, axis=0).T
    return _unanimous(ends, values, clusters) if shares else ends


def _unanimous(ends: np.ndarray, values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """The ends (M, 2), wider where a column of values (Q, M) is all 0 or all 1.

    Of a share p, C clusters all succeed with p^C; the least p that makes that no rarer than 2.5 % is 0.025^(1 / C).
    """
    least = ENDS[0] ** (1 / len(np.unique(clusters)))
    held = ends.copy()
    held[(values == 1).all(0), 0] = least
    held[(values == 0).all(0), 1] = 1 - least
    return held


def over_seeds(
    runs: Sequence[np.ndarray], clusters: np.ndarray, *, seed: int = 0, draws: int = DRAWS
) -> list[tuple[float, float]]:
    """The 95 % interval of each entry's mean over its seeds and queries; of one seed it is that of `intervals`.

    Two chances are in it: other products could have been asked for (the bootstrap), and other seeds drawn (as `paired` says).
    runs (S, Q) each, S its own; clusters (Q,) -> (low, high) each.
    """
    errors = np.sqrt([_variance(run) / len(run) for run in runs])
    freedom = np.array([max(1, len(run) - 1) for run in runs])
    values = _over_queries(runs)
    means = _drawn_means(values, clusters, draws, seed) + _luck(errors, freedom, seed, ALONE)(draws)
    ends = _unanimous(np.quantile(means, ENDS, axis=0).T, values, clusters)
    return [(float(low), float(high)) for low, high in ends]


def paired(
    ours: np.ndarray,
    theirs: np.ndarray,
    clusters: np.ndarray,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    flips: int = FLIPS,
) -> Difference:
    """Whether two entries differ by more than chance on the same queries. ours (S, Q), theirs (T, Q), clusters (Q,).

    The value is  v = mean of ours - mean of theirs,  over seeds and queries. Two chances can make one:

    - Of the queries. The interval is a bootstrap over clusters, as in `intervals`. The p is of sign flips: were the two
      equal, a cluster's sum of differences could as well have had the other sign, so each gets one by coin,

          f = sum over c of  (+1 or -1)_c x (sum of the differences of c)  /  Q        p = (1 + #{|f| >= |v|}) / (1 + flips)

    - Of the seeds. Where an entry has n >= 2, its seeds' means have the standard error e = s / sqrt(n), and every draw and
      every f gets  sqrt(e_1^2 + e_2^2) x t(k)  on top, k the degrees of freedom by Welch and Satterthwaite, rounded down.
      So v must beat both chances. s holds what the seeds do to single queries, which the queries' chance holds once more:
      that errs on the safe side.

    With one seed the chance of another training cannot be told: v is then between these two networks, and `seeds` says so.
    """
    return differences([ours, theirs], clusters, seed=seed, draws=draws, flips=flips)[0, 1]


def differences(
    runs: Sequence[np.ndarray],
    clusters: np.ndarray,
    *,
    learnt: Sequence[bool] = (),
    seed: int = 0,
    draws: int = DRAWS,
    flips: int = FLIPS,
) -> dict[tuple[int, int], Difference]:
    """What `paired` says of every two entries, the earlier less the later, at little more than the price of one pair.

    A drawn or flipped difference is the difference of two drawn or flipped sums, so the pairs share the coins and the draws,
    and by the queries' chance none depends on its company. The seeds' does, where three entries or more have spread: three
    seeds tell little of their own, so no entry's counts for less than that of all together (see `_spreads`).
    runs (S, Q) each, S its own; clusters (Q,); learnt: whether another seed would give another network, where that is
    known: one that learnt once is then given the spread of the others.
    """
    values = _over_queries(runs)
    first, second = np.triu_indices(len(runs), 1)
    drawn = _drawn_means(values, clusters, draws, seed)
    errors = _welch(*_spreads(runs, learnt or [False] * len(runs)))
    luck = _luck(*errors, seed, BOTH)(draws)
    chances = _chances(runs, clusters, errors, seed, flips)
    found = {}
    for at, (a, b, p) in enumerate(zip(first.tolist(), second.tolist(), chances.tolist(), strict=True)):
        low, high = np.quantile(drawn[:, a] - drawn[:, b] + luck[:, at], ENDS).tolist()
        value = float(values[:, a].mean() - values[:, b].mean())
        found[a, b] = Difference(value=value, low=low, high=high, p=p, seeds=(len(runs[a]), len(runs[b])))
    return found


def holm(p: Sequence[float]) -> list[float]:
    """Each p corrected for its company, by Holm's steps: the chance of even one false alarm among them stays below a level.

    The smallest is multiplied by their number, the next by one less and so on; none falls below one before it, none over 1.
    """
    order = sorted(range(len(p)), key=lambda at: p[at])
    corrected, least = [0.0] * len(p), 0.0
    for rank, at in enumerate(order):
        least = corrected[at] = min(1.0, max(least, (len(p) - rank) * p[at]))
    return corrected


def _over_queries(runs: Sequence[np.ndarray]) -> np.ndarray:
    """Each entry's value of each query, its seeds averaged. runs M of (S, Q) -> (Q, M)."""
    return np.stack([run.mean(0) for run in runs], axis=1)


def _by_cluster(values: np.ndarray, clusters: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Each column's sums over clusters, and the clusters' sizes. values (Q, M), clusters (Q,) -> M of (C,), (C,)."""
    _, member = np.unique(clusters, return_inverse=True)
    return [np.bincount(member, weights=column) for column in values.T], np.bincount(member).astype(float)


def _drawn_means(values: np.ndarray, clusters: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The mean of each column in each draw. values (Q, M) -> (draws, M)."""
    sums, counts = _by_cluster(values, clusters)
    blocks = _drawn(len(counts), draws, seed)
    return np.concatenate([_products(weights, sums) / (weights @ counts)[:, None] for weights in blocks])


def _products(weights: np.ndarray, sums: list[np.ndarray]) -> np.ndarray:
    """The weighted sum of each column. weights (B, C), sums M of (C,) -> (B, M).

    One column at a time: the last digit of a product with a whole matrix changes with the matrix's width.
    """
    return np.stack([weights @ column for column in sums], axis=1)


def _drawn(clusters: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each draw takes each cluster, in blocks (B, C), so that memory stays flat at any number of clusters."""
    random = np.random.default_rng(seed)
    for rows in _blocks(draws, clusters):
        drawn = random.integers(clusters, size=(rows, clusters)) + clusters * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(float)


def _blocks(draws: int, width: int) -> Iterator[int]:
    """How many draws to hold at a time, until all are made."""
    block = max(1, HELD // width)
    yield from (min(block, draws - start) for start in range(0, draws, block))


def _chances(
    runs: Sequence[np.ndarray], clusters: np.ndarray, errors: tuple[np.ndarray, np.ndarray], seed: int, flips: int
) -> np.ndarray:
    """The p of every two entries, in the order of `np.triu_indices`. runs M of (S, Q), clusters (Q,) -> (M (M - 1) / 2,)."""
    values = _over_queries(runs)
    sums, counts = _by_cluster(values, clusters)
    first, second = np.triu_indices(len(runs), 1)
    means, sizes = values.mean(0), np.abs(values).mean(0)
    bar = np.abs(means[first] - means[second]) - TIE * (sizes[first] + sizes[second])
    luck = _luck(*errors, seed, FLIPPED)
    coins, reached = np.random.default_rng([seed, SIGNS]), np.zeros(len(first))
    for rows in _blocks(flips, max(len(counts), len(first))):
        signs = np.where(coins.random((rows, len(counts))) < 0.5, -1.0, 1.0)
        flipped = _products(signs, sums) / len(values)
        moved = flipped[:, first] - flipped[:, second] + luck(rows)
        reached += (np.abs(moved) >= bar).sum(0)
    return (1 + reached) / (1 + flips)


def _spreads(runs: Sequence[np.ndarray], learnt: Sequence[bool]) -> tuple[np.ndarray, np.ndarray, float]:
    """Of each entry the square of its mean's standard error by the seeds, and the degrees of freedom behind it; and the most
    that two of them can have.

    Where three entries or more have a spread, the pooled one stands in for every smaller one, and for an entry that learnt
    once; all have the degrees of freedom of all together. Only what is less steady than the others by more than chance (an
    F test at 1 %) keeps its own. So the false alarms among all pairs stay below the level also where one entry is far
    less steady than the rest, and three seeds each are enough to find what is plain.
    """
    counts = np.array([len(run) for run in runs])
    variances, freedom = np.array([_variance(run) for run in runs]), np.maximum(1, counts - 1)
    spread = variances > 0
    if spread.sum() < 3:
        return variances / counts, freedom, np.inf
    sums, every = np.where(spread, variances * freedom, 0.0), int(freedom[spread].sum())
    pooled, others = sums.sum() / every, np.maximum(1, every - freedom)
    less_steady = spread & (variances > (sums.sum() - sums) / others * stats.f.ppf(1 - ENOUGH, freedom, others))
    lent = spread | (np.array(learnt, bool) & (counts == 1))
    return (
        np.where(lent, np.maximum(pooled, variances), variances) / counts,
        np.where(lent & ~less_steady, every, freedom),
        every,
    )


def _welch(squares: np.ndarray, freedom: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Of every two entries, in the order of `np.triu_indices`, the standard error of their difference by the seeds, and its
    degrees of freedom by Welch and Satterthwaite, rounded down. squares, freedom (M,) -> (M (M - 1) / 2,) twice.
    """
    first, second = np.triu_indices(len(squares), 1)
    shares = squares**2 / freedom
    both = squares[first] + squares[second]
    found = both**2 / np.maximum(shares[first] + shares[second], np.finfo(float).tiny)
    return np.sqrt(both), np.clip(np.floor(found + TIE), 1, most).astype(int)


def _luck(errors: np.ndarray, freedom: np.ndarray, seed: int, side: int) -> Callable[[int], np.ndarray]:
    """What other seeds could have made of means or differences: a maker of B draws (B, M), other ones at each call.

    errors (M,), freedom (M,). A stream of random numbers is the same for all that have as many degrees of freedom.
    """
    streams = {k: np.random.default_rng([seed, side, k]) for k in np.unique(freedom).tolist()}

    def draw(rows: int) -> np.ndarray:
        tossed = {k: stream.standard_t(k, rows) for k, stream in streams.items()}
        made = [tossed[k] for k in freedom.tolist()] or [np.empty(rows)]  # an entry alone makes no pair
        tosses: np.ndarray = np.stack(made, axis=1)[:, : len(errors)] * errors
        return tosses

    return draw


def _variance(run: np.ndarray) -> float:
    """Of the seeds' means (S, Q) about theirs; of one seed it cannot be told and counts as none."""
    return float(run.mean(1).var(ddof=1)) if len(run) > 1 else 0.0
