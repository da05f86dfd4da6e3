"""Who is nearest: exact inner-product search on unit vectors with FAISS.

In: vectors and ids. Out: for each query, gallery row numbers and scores, nearest first, ties by id. Never: says what a hit is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np

# Scores equal to so many decimals are ties: float32 products of equal vectors differ in the last bits with the batch's size.
DECIMALS = 6


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest of a block of queries. rows, scores (B, k): gallery row numbers, nearest first."""

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
    k = min(k, len(gallery))
    for start in range(0, len(queries), block):
        asked = np.ascontiguousarray(queries[start : start + block], np.float32)
        scores, rows = index.search(
            asked, min(k + 1, len(gallery))
        )  # one more, to see whether the cut falls into a tie
        scores, rows = _settled(np.round(scores, DECIMALS), rows, order)
        for tied in np.flatnonzero(scores[:, k - 1] == scores[:, -1]) if k < len(gallery) else ():
            scores[tied], rows[tied] = _whole(asked[tied], gallery, order, k + 1)
        yield Neighbours(start=start, rows=rows[:, :k], scores=scores[:, :k])


def _settled(scores: np.ndarray, rows: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    by = np.lexsort((order[rows], -scores), axis=1)
    return np.take_along_axis(scores, by, 1), np.take_along_axis(rows, by, 1)


def _whole(query: np.ndarray, gallery: np.ndarray, order: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """One query against all: which of many equal ones FAISS keeps is chance, and the protocol says it is their id."""
    scores = np.round(gallery @ query, DECIMALS)
    rows = np.lexsort((order, -scores))[:k]
    return scores[rows], rows
