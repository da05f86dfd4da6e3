"""What other libraries would say of the same vectors: their definitions, applied to our ranks.

In: an `Evaluation` whose `hits` reach deep enough. Out: their figures under their names. Never: searches again.

Where the libraries part, a query has R twins, and a hit is a twin at rank i, the j-th one found:

| | here | pytorch-metric-learning 2.9 | OML 4.0 |
|---|---|---|---|
| a query without a twin | counted apart | left out, silently | a miss in cmc and map; makes precision nan |
| the query itself | left out by id | left out by place in the list | left out by id |
| precision@k | only @1 | hits / k | hits / min(k, R) |
| map | map@r: sum of j/i over hits within R, / R | the same; also over k, / R | over k, / the hits *found* there |
| mrr | over the whole gallery | 0 beyond k | none |

So OML's map@k says how early those come that were found, and nothing of those that were not: it may fall as k grows.
"""

import numpy as np
import polars as pl

from lookalike.retrieval.evaluation import Evaluation
from lookalike.retrieval.protocol import KS
from lookalike.settings import DataError


def pytorch_metric_learning(measured: Evaluation, *, k: int | None = None) -> dict[str, float]:
    """The figures of its `AccuracyCalculator(k=k)`; `k` None is its own None: the whole gallery.

    Its k="max_bin_count" is k = the most twins that a query has.
    """
    k = measured.gallery if k is None else k
    ranks, twins = _ranks(measured, k), measured.table["twins"].to_numpy()
    within_r = ranks <= np.minimum(twins, k)[:, None]
    of_hits = _precision_at(ranks)
    return {
        "precision_at_1": float((ranks[:, 0] == 1).mean()),
        "r_precision": float((within_r.sum(1) / np.minimum(twins, k)).mean()),
        "mean_average_precision_at_r": float(((of_hits * within_r).sum(1) / twins).mean()),
        "mean_average_precision": float((of_hits.sum(1) / twins).mean()),
        "mean_reciprocal_rank": float((1 / ranks[:, 0]).mean()),
    }


def open_metric_learning(measured: Evaluation, *, ks: tuple[int, ...] = KS) -> dict[str, float]:
    """The figures of its `calc_retrieval_metrics_rr`, cmc@k, precision@k and map@k, where k items were retrieved."""
    told: dict[str, float] = {}
    twins, asked = measured.table["twins"].to_numpy(), measured.queries + measured.no_twin
    for k in ks:
        ranks = _ranks(measured, k)
        found = np.isfinite(ranks).sum(1)
        precision = found / np.minimum(twins, k)
        told[f"cmc@{k}"] = float((found > 0).sum() / asked)
        told[f"precision@{k}"] = float("nan") if measured.no_twin else float(precision.mean())
        told[f"map@{k}"] = float((_precision_at(ranks).sum(1) / np.maximum(found, 1)).sum() / asked)
    return told


def _ranks(measured: Evaluation, k: int) -> np.ndarray:
    """Ranks of each query's twins among its k nearest, rising; infinite where there are no more. (Q, at least 1)"""
    if min(k, measured.gallery) > measured.depth:
        raise DataError(
            f"k={k}: the hits of this evaluation end at rank {measured.depth} of a gallery of {measured.gallery}; "
            "give a smaller k, or evaluate with a greater depth"
        )
    hits = measured.table["hits"].list.eval(pl.element().filter(pl.element() <= k))
    counts = hits.list.len().to_numpy()
    ranks = np.full((len(counts), max(1, counts.max(initial=0))), np.inf)
    ranks[np.arange(ranks.shape[1]) < counts[:, None]] = hits.explode().drop_nulls().to_numpy()
    return ranks


def _precision_at(ranks: np.ndarray) -> np.ndarray:
    """Precision at each hit: the j-th twin at rank i makes j / i, one not found makes 0. (Q, H)"""
    precision: np.ndarray = np.arange(1, ranks.shape[1] + 1) / ranks
    return precision
