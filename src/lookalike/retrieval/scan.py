"""The exact search of a catalog by shape and color: every picture that may be compared is.

In: a catalog's unit vectors (float16, memory maps too) and those of queries. Out: ids, nearest first, with exact scores.
Never: holds a float32 copy of the catalog, or lets a score hang on how many were compared at once.

    score = (1 - weight) shape . shape + weight color . color
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss as untyped
import numpy as np

from lookalike.retrieval.search import DECIMALS, NOBODY, rounded
from lookalike.settings import DataError

faiss: Any = untyped  # its own types leave out half of what it takes

BLOCK = 4096  # catalog rows that are float32 at a time
PAIRS = 1 << 13  # pairs of vectors compared at a time
SLACK = 10 * 10**-DECIMALS  # a float32 product of long vectors and the exact one, rounded, differ by less
ALONE = 2  # up to so many queries BLAS is left out: on a busy machine it waits for its threads at each block


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """A catalog. shape (N, D), color (N, C): float16, unit, memory maps too; ids (N,) int64, rising, each once."""

    shape: np.ndarray
    color: np.ndarray
    ids: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.shape) == len(self.color) == len(self.ids):
            raise DataError(
                f"{len(self.shape)} shape vectors, {len(self.color)} color vectors and {len(self.ids)} ids "
                "do not belong together; index the catalog again"
            )
        if not self.shape.dtype == self.color.dtype == np.float16:
            raise DataError(
                f"a catalog's vectors are float16, these are {self.shape.dtype} and {self.color.dtype}; convert them"
            )
        if not (np.diff(self.ids) > 0).all():
            raise DataError("the ids of a catalog do not rise, or one comes twice; index the catalog again")


@dataclass(frozen=True, kw_only=True)
class Found:
    """The nearest of some queries, nearest first, ties by the lower id. All (B, k); id -1 and nan where nobody is left."""

    ids: np.ndarray
    scores: np.ndarray  # equal to DECIMALS decimals where they tie
    shape: np.ndarray  # the two parts of the score, before they are weighed
    color: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Queries and the weight of color. shape (B, D), color (B, C), float32."""

    shape: np.ndarray
    color: np.ndarray
    weight: float


@dataclass(frozen=True)
class Pairs:
    """Queries compared with catalog rows. All (P,); the parts and the score are float64, the score rounded."""

    query: np.ndarray
    row: np.ndarray
    shape: np.ndarray
    color: np.ndarray
    score: np.ndarray


def exact(
    vectors: Vectors,
    shape_queries: np.ndarray,
    color_queries: np.ndarray,
    weight: float,
    k: int,
    allowed: np.ndarray | None = None,
) -> Found:
    """Every allowed row is compared. shape_queries (B, D), color_queries (B, C), allowed (N,) bool.

    A float32 product sorts out who may be among the first k; those are compared once more in float64, so that a score does
    not hang on how many queries or rows were compared at once.
    """
    asked, count = asking(shape_queries, color_queries, weight), len(shape_queries)
    best = compared(vectors, asked, *np.zeros((2, 0), np.int64))
    for rows in _blocks(len(vectors.ids), allowed):
        rough = _rough(vectors, asked, rows)
        query, column = np.nonzero(rough >= _bar(best, rough, k)[:, None] - SLACK)
        best = first(_together(best, compared(vectors, asked, query, rows[column])), k)
    return laid_out(vectors, best, count, k)


def widened(half: np.ndarray) -> np.ndarray:
    """float16 as float32, in a fifth of the time that astype takes. half: finite.

    A half's bits, moved to where those of a float lie, are the number times 2**-112: exponents count from 15 and from 127.
    """
    bits = np.asarray(half).view(np.int16).astype(np.int32)
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, np.int32(-0x7000_2000), out=bits)  # the sign came along into three bits too many
    wide = bits.view(np.float32)
    wide *= np.float32(2.0**112)
    return wide


def asking(shape: np.ndarray, color: np.ndarray, weight: float) -> Asked:
    """Queries as they are compared."""
    return Asked(shape=np.asarray(shape, np.float32), color=np.asarray(color, np.float32), weight=float(weight))


def _blocks(count: int, allowed: np.ndarray | None) -> Iterator[np.ndarray]:
    """Rows that may be compared, rising, some at a time."""
    rows = np.arange(count) if allowed is None else np.flatnonzero(allowed)
    return (rows[part] for part in parts(len(rows), BLOCK))


def _taken(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows, rising, as float32; without a copy in between where they follow each other."""
    close = rows[-1] - rows[0] == len(rows) - 1
    return widened(vectors[rows[0] : rows[-1] + 1] if close else vectors[rows])


def _rough(vectors: Vectors, asked: Asked, rows: np.ndarray) -> np.ndarray:
    """Scores in float32; a part that weighs nothing is not read. -> (B, n)."""
    parts = ((1 - asked.weight, asked.shape, vectors.shape), (asked.weight, asked.color, vectors.color))
    scores = np.zeros((len(asked.shape), len(rows)), np.float32)
    for share, queries, of in parts:
        if share:
            scores += _against(_taken(of, rows), np.float32(share) * queries)
    return scores


def _against(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Inner products. rows (n, D), queries (B, D): float32, contiguous -> (B, n)."""
    if len(queries) > ALONE:
        result: np.ndarray = (rows @ queries.T).T
        return result
    products = np.empty((len(queries), len(rows)), np.float32)
    for line, query in zip(products, queries, strict=True):
        faiss.fvec_inner_products_ny(*map(faiss.swig_ptr, (line, query, rows)), *rows.shape[::-1])
    return products


def _bar(best: Pairs, rough: np.ndarray, k: int) -> np.ndarray:
    """What a row's score must reach to be among the first k, by what was found so far or by this block alone. -> (B,)."""
    bar = np.full(len(rough), -np.inf)
    last = _places(best) == k - 1
    bar[best.query[last]] = best.score[last]
    fewer, columns = np.isneginf(bar), rough.shape[1]
    if k <= columns and fewer.any():
        bar[fewer] = np.partition(rough[fewer], columns - k, axis=1)[:, columns - k]
    return bar


def compared(vectors: Vectors, asked: Asked, query: np.ndarray, row: np.ndarray) -> Pairs:
    """Queries and rows, pair by pair, in float64. query, row (P,)."""
    shape, color = np.empty(len(query)), np.empty(len(query))
    for part in parts(len(query), PAIRS):
        shape[part] = _products(asked.shape[query[part]], vectors.shape[row[part]])
        color[part] = _products(asked.color[query[part]], vectors.color[row[part]])
    score = np.asarray(rounded((1 - asked.weight) * shape + asked.weight * color))
    return Pairs(query, row, shape, color, score)


def parts(count: int, size: int) -> Iterator[slice]:
    """So many rows, some at a time."""
    return (slice(start, start + size) for start in range(0, count, size))


def _products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.einsum("pd,pd->p", one.astype(np.float64), other.astype(np.float64))
    return result


def _together(one: Pairs, other: Pairs) -> Pairs:
    return Pairs(*(np.concatenate(both) for both in zip(_columns(one), _columns(other), strict=True)))


def first(pairs: Pairs, k: int) -> Pairs:
    """The first k of each query, in order: by query, score, and row, which is the order of ids."""
    order = np.lexsort((pairs.row, -pairs.score, pairs.query))
    pairs = Pairs(*(column[order] for column in _columns(pairs)))
    first = _places(pairs) < k
    return Pairs(*(column[first] for column in _columns(pairs)))


def _columns(pairs: Pairs) -> tuple[np.ndarray, ...]:
    return pairs.query, pairs.row, pairs.shape, pairs.color, pairs.score


def _places(pairs: Pairs) -> np.ndarray:
    """Of ordered pairs, which place each has with its query, from 0. -> (P,)."""
    return np.arange(len(pairs.query)) - np.searchsorted(pairs.query, pairs.query)


def laid_out(vectors: Vectors, best: Pairs, count: int, k: int) -> Found:
    """What was found of `count` queries, each in its row."""
    at = best.query, _places(best)

    def laid(values: np.ndarray) -> np.ndarray:
        table = np.full((count, k), np.nan, np.float32)
        table[at] = values
        return table

    ids = np.full((count, k), NOBODY, np.int64)
    ids[at] = vectors.ids[best.row]
    return Found(ids=ids, scores=laid(best.score), shape=laid(best.shape), color=laid(best.color))
