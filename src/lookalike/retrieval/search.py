"""Who is nearest: what every search is, and the exact one, by inner product of unit vectors with FAISS.

In: queries and a gallery, whose order settles ties. Out: for each query, gallery row numbers and scores, nearest first.
Never: says what a hit is, or copies the gallery.

A search is handed the gallery once and may prepare itself; then it is asked, as often as there are blocks of queries:

    ask = search(gallery, apart)    gallery (N, D); apart (N,) whole numbers
    found = ask(queries, own, k)    queries (B, D); own (B,): pictures with this number are not compared with the query
    found.rows, found.scores        (B, k) nearest first; row -1 and score nan where the search brings no more
"""

from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np

from lookalike.settings import DataError

# Scores equal to so many decimals are ties: float32 products of equal vectors differ in the last bits with the batch's size.
DECIMALS = 6
UNIT = 1e-3  # how far from one the length of a vector may be
NOBODY = -1  # the row where there are no more


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest of some queries. rows, scores (B, k): gallery row numbers, nearest first, ties by row."""

    rows: np.ndarray
    scores: np.ndarray


Ask = Callable[[np.ndarray, np.ndarray, int], Neighbours]  # queries (B, D), own (B,), k
Search = Callable[[np.ndarray, np.ndarray], Ask]  # gallery (N, D), apart (N,)


def exact(gallery: np.ndarray, apart: np.ndarray) -> Ask:
    """Every picture of the gallery is compared. gallery (N, D), unit, float32, contiguous; apart (N,)."""
    spare = most_alike(apart)

    def ask(queries: np.ndarray, own: np.ndarray, k: int) -> Neighbours:
        found = nearest(queries, gallery, k=k + spare)
        return compared(found, apart[found.rows] != own[:, None], k)

    return ask


def most_alike(apart: np.ndarray) -> int:
    """How many of a gallery may be left out for one query. apart (N,)."""
    return int(np.unique(apart, return_counts=True)[1].max(initial=0))


def compared(found: Neighbours, allowed: np.ndarray, k: int) -> Neighbours:
    """The first k that may be compared, in their order; nobody where there are fewer. allowed (B, K) bool."""
    # those left out go behind the rest, which keeps its order; then only the first k stand
    front = np.argsort(~allowed, axis=1, kind="stable")[:, :k]
    allowed, rows, scores = (np.take_along_axis(of, front, 1) for of in (allowed, found.rows, found.scores))
    return Neighbours(rows=np.where(allowed, rows, NOBODY), scores=np.where(allowed, scores, np.float32(np.nan)))


def nearest(queries: np.ndarray, gallery: np.ndarray, *, k: int) -> Neighbours:
    """The k nearest of each query. queries (B, D), gallery (N, D): unit, float32, contiguous; the lower row wins a tie."""
    k = min(k, len(gallery))
    one_more = min(k + 1, len(gallery))  # to see whether the cut falls into a tie
    scores, rows = faiss.knn(queries, gallery, one_more, metric=faiss.METRIC_INNER_PRODUCT)
    scores = rounded(scores)
    _settle(scores, rows)
    for tied in np.flatnonzero(scores[:, k - 1] == scores[:, k]) if one_more > k else ():
        scores[tied, :k], rows[tied, :k] = _whole(queries[tied], gallery, k)
    return Neighbours(rows=rows[:, :k], scores=scores[:, :k])


def rounded(scores: np.ndarray) -> np.ndarray:
    """Scores in which ties are equal."""
    return np.round(scores, DECIMALS)


def refuse_unfit(vectors: np.ndarray) -> None:
    """Not a number is neither near nor far, so a search that meets it brings anything, even a perfect score."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))  # without a copy as large as the vectors
    finite = np.isfinite(lengths) | np.isfinite(vectors).all(1)
    unfit = ~(np.abs(lengths - 1) <= UNIT)
    if unfit.any():
        raise DataError(
            f"{unfit.sum()} of {len(vectors)} vectors cannot be compared: {(~finite).sum()} are not finite, "
            f"{(unfit & finite).sum()} are not of length one. A training that diverged leaves such a network: "
            "train again at a lower learning rate (optimiser.head_lr, optimiser.backbone_lr)"
        )


def _settle(scores: np.ndarray, rows: np.ndarray) -> None:
    """Put equal scores in the order of their rows. scores (B, k), falling, stay as they are; rows (B, k) change."""
    tied = np.flatnonzero((scores[:, 1:] == scores[:, :-1]).any(1))
    by = np.lexsort((rows[tied], -scores[tied]), axis=1)
    rows[tied] = np.take_along_axis(rows[tied], by, 1)


def _whole(query: np.ndarray, gallery: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """One query against all: which of many equal ones FAISS keeps is chance, and the protocol says it is by id."""
    scores = rounded(gallery @ query)
    cut = np.partition(scores, -k)[-k]
    ahead = np.flatnonzero(scores > cut)
    rows = np.concatenate([ahead, np.flatnonzero(scores == cut)[: k - len(ahead)]])
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    return scores[rows], rows
