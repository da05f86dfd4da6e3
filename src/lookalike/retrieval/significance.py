"""How sure one can be of a mean over queries.

In: one or more values a query, and the cluster (product, style) each query belongs to. Out: intervals. Never: a bare figure.
"""

from collections.abc import Iterator

import numpy as np

DRAWS = 2000
HELD = 2**18  # weights held at a time: few enough for a processor's cache


def interval(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """The 95 % interval of one mean, as `intervals` finds it. values, clusters (Q,) -> (low, high)."""
    low, high = intervals(values[:, None], clusters, seed=seed, draws=draws)[0]
    return float(low), float(high)


def intervals(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """The 95 % interval of the mean of each column, by percentile bootstrap over clusters.

    Whole clusters are drawn again, because the pictures of one product fail and succeed together: drawing queries one by one
    would pretend to more evidence than there is. A draw of the clusters c = 1 .. C takes each w_c times, and its mean is

        sum over c of  w_c x (sum of the values of c)  /  sum over c of  w_c x (queries of c)

    All columns share the draws, so a column's interval does not depend on its company. values (Q, M), clusters (Q,) ->
    (M, 2) low and high; nan where there is nothing.
    """
    if not len(values):
        return np.full((values.shape[1], 2), np.nan)
    _, member = np.unique(clusters, return_inverse=True)
    counts = np.bincount(member).astype(float)
    sums = [np.bincount(member, weights=column) for column in values.T]
    means = [_means(weights, sums, counts) for weights in _drawn(len(counts), draws, seed)]
    ends: np.ndarray = np.quantile(np.concatenate(means), [0.025, 0.975], axis=0).T
    return ends


def _means(weights: np.ndarray, sums: list[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """The mean of each column in each draw. weights (B, C), sums M of (C,), counts (C,) -> (B, M).

    One column at a time: the last digit of a product with a whole matrix changes with the matrix's width.
    """
    means: np.ndarray = np.stack([weights @ column for column in sums], axis=1) / (weights @ counts)[:, None]
    return means


def _drawn(clusters: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each draw takes each cluster, in blocks (B, C), so that memory stays flat at any number of clusters."""
    random = np.random.default_rng(seed)
    block = max(1, HELD // clusters)
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        drawn = random.integers(clusters, size=(rows, clusters)) + clusters * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(float)
