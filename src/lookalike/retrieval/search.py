"""Who is nearest: exact inner-product search on unit vectors with FAISS.

In: vectors and ids. Out: for each query, gallery row numbers and scores, nearest first, ties by id. Never: says what a hit is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np

DECIMALS = (
    6  # scores equal to 1e-6 are ties: float32 products of equal vectors differ in the last bits with the batch's size
)


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest of a block of queries. rows, scores (B, k): gallery row numbers (-1: none left), nearest first."""

    start: int
    rows: np.ndarray
    scores: np.ndarray


def nearest(
    queries: np.ndarray, gallery: np.ndarray, order: np.ndarray, *, k: int, block: int = 1024
) -> Iterator[Neighbours]:
    """The k nearest of each query, a block at a time so that memory stays flat.

    queries (Q, D), gallery (N, D) unit float32; order (N,) the rank of each gallery row's id, which breaks ties.
    """
    index = faiss.IndexFlatIP(gallery.shape[1])
    index.add(np.ascontiguousarray(gallery, np.float32))
    for start in range(0, len(queries), block):
        asked = np.ascontiguousarray(queries[start : start + block], np.float32)
        scores, rows = index.search(asked, min(k, len(gallery)))
        yield Neighbours(start=start, **_settled(np.round(scores, DECIMALS), rows, order))


def _settled(scores: np.ndarray, rows: np.ndarray, order: np.ndarray) -> dict[str, np.ndarray]:
    by = np.lexsort((order[rows], -scores), axis=1)
    return {"rows": np.take_along_axis(rows, by, 1), "scores": np.take_along_axis(scores, by, 1)}
