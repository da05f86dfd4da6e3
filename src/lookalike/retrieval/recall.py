"""How good a ranking is: every metric of one query, as pure arithmetic on hits.

In: for each query, which of its nearest are twins, how many twins it has, and the rank of the first. Out: metrics by query.
Never: sees a vector. recall@k here is the share of queries with a twin among their k nearest (hit rate).
"""

import numpy as np

from lookalike.retrieval.protocol import KS


def per_query(hits: np.ndarray, twins: np.ndarray, first: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric of every query that has a twin.

        precision@1 = hit at 1        map@r = (1/R) sum over ranks i <= R of precision@i x hit at i
        r_precision = hits in R / R   mrr = 1 / rank of the first twin
        ndcg@10 = DCG of the hits in 10 / DCG of min(R, 10) hits on top

    hits (Q, k) bool, nearest first, k >= max(R) and >= 20 or all there is; twins (Q,) R of each; first (Q,) rank from 1.
    """
    ranks = np.arange(1, hits.shape[1] + 1)
    within_r = hits & (ranks <= twins[:, None])
    precision = np.cumsum(hits, axis=1) / ranks
    gains = 1 / np.log2(ranks[:10] + 1)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])
    return {
        **{f"recall@{k}": (first <= k).astype(float) for k in KS},
        "precision@1": hits[:, 0].astype(float),
        "map@r": (precision * within_r).sum(1) / twins,
        "r_precision": within_r.sum(1) / twins,
        "mrr": 1 / first,
        "ndcg@10": (hits[:, :10] * gains[: hits.shape[1]]).sum(1) / ideal[np.minimum(twins, len(gains))],
    }
