"""A mean over queries, with its interval, as every page and table shows it.

In: a value a query, and the cluster it belongs to. Out: a `Figure`. Never: a bare mean.
"""

import numpy as np

from lookalike.retrieval.evaluation import Figure
from lookalike.retrieval.significance import interval


def figure(values: np.ndarray, clusters: np.ndarray, *, shares: bool = True, seed: int = 0) -> Figure:
    """The mean of values (Q,) and its 95 % interval over clusters (Q,), as `intervals` finds it."""
    low, high = interval(values.astype(float), clusters, shares=shares, seed=seed)
    return Figure(value=float(values.mean()), low=low, high=high, queries=len(values))
