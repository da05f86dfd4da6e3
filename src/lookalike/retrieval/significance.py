"""How sure one can be of a mean over queries.

In: one value a query, and the cluster (product, style) each query belongs to. Out: an interval. Never: a bare figure.
"""

import numpy as np

DRAWS = 2000


def interval(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """The 95 % interval of the mean of `values` by bootstrap over clusters.

    Whole clusters are drawn again, because the pictures of one product fail and succeed together: drawing queries one by one
    would pretend to more evidence than there is. values (Q,), clusters (Q,) -> (low, high); nan where there is nothing.
    """
    if not len(values):
        return float("nan"), float("nan")
    _, member = np.unique(clusters, return_inverse=True)
    sums, counts = np.bincount(member, weights=values), np.bincount(member)
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):  # one draw at a time: memory stays flat at any number of clusters
        drawn = random.integers(len(sums), size=len(sums))
        means[draw] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
