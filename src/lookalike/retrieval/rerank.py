"""Searches that look twice: a query joined with its nearest, and an order that minds the company which pictures keep.

In: options. Out: a `Search` each. Never: sees a label, holds a full distance matrix, or counts what is left out for a
query among its neighbours.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from lookalike.retrieval.search import DECIMALS, NOBODY, Ask, Neighbours, Search, compared, exact, nearest, rounded
from lookalike.settings import ConfigError

BLOCK = 4096  # gallery pictures whose codes are made at a time
PAIRS = 1 << 14  # pairs of vectors compared at a time
TIE = 1.5 * 10**-DECIMALS  # two products of one pair, made in batches of different size, differ by less


def expansion(*, neighbours: int = 3, power: float = 3.0) -> Search:
    """Query expansion: the query joined with its nearest, each weighed by its similarity, is searched again.

        q' = (q + sum over its nearest g of max(s, 0)^power g) / its length      s = the similarity of q and g

    A negative similarity weighs nothing. What is left out for a query, so its own picture too, never takes part.
    Alpha query expansion: Radenovic, Tolias and Chum 2018, arXiv:1711.02512.
    """
    if neighbours < 1 or not power >= 0:
        raise ConfigError(
            f"search=expansion: neighbours={neighbours}, power={power} cannot be used; "
            "give one neighbour or more, and a power of 0 (all weigh the same) or more"
        )

    def prepare(gallery: np.ndarray, apart: np.ndarray) -> Ask:
        first = exact(gallery, apart)

        def ask(queries: np.ndarray, own: np.ndarray, k: int) -> Neighbours:
            return first(_joined(queries, gallery, first(queries, own, neighbours), power), own, k)

        return ask

    return prepare


def _joined(queries: np.ndarray, gallery: np.ndarray, found: Neighbours, power: float) -> np.ndarray:
    """Queries moved towards their nearest, of length one. queries (B, D) -> (B, D) float32."""
    joined = queries.astype(np.float64)
    near = found.scores > 0  # not so for nobody, whose score is nan
    weights = np.where(near, np.where(near, found.scores, 1.0) ** power, 0.0)
    for rows, weight in zip(found.rows.T, weights.T, strict=True):  # one rank after another: no (B, neighbours, D)
        joined += weight[:, None] * gallery[rows]
    return np.ascontiguousarray(joined / np.linalg.norm(joined, axis=1, keepdims=True), np.float32)


def k_reciprocal(*, k1: int = 20, k2: int = 6, share: float = 0.3, depth: int = 100) -> Search:
    """The `depth` nearest of each query, put into a new order by the company that they keep.

    Two pictures are k-reciprocal where each is among the k nearest of the other. A picture's company is those that are k1-
    reciprocal with it, and of each of these its own k1/2-reciprocal ones where two thirds of them are in the company already.
    Its code weighs each picture of its company by exp(-d), all together one; k2 codes of nearest pictures, its own first,
    are averaged. How alike are two codes is said by Jaccard's index, and mixed with the first similarity s = 1 - d:

        score(q, g) = share x s(q, g) + (1 - share) x sum of min(code q, code g) / sum of max(code q, code g)

    Behind the depth the second term counts nothing, so that what lies there keeps its order behind the rest.
    d is the cosine distance; the authors divide it by a picture's largest, which would need the full matrix.
    Zhong, Zheng, Cao and Li 2017, arXiv:1701.08610.

    The gallery's codes are made once, before the queries come. A query whose own picture lies in the gallery is that
    picture, once, known by its equal vector: in the paper too a query stands in the lists of others, and tells nobody's
    label by it. What else is left out for it, the other views of its product, is no neighbour of the query, and no weight
    on it counts in any code; it keeps its places in the lists of other pictures, which are made for all queries alike. A
    query that is not in the gallery is in nobody's list; g takes it for its neighbour where it is as near as the last of
    g's k1. Of equal scores the first order stands.
    """
    if not (1 <= k2 <= k1 and 0 <= share <= 1 and depth >= 1):
        raise ConfigError(
            f"search=k_reciprocal: k1={k1}, k2={k2}, share={share}, depth={depth} cannot be used; "
            "give k2 from 1 to k1, a share from 0 to 1, and a depth of 1 or more"
        )

    def prepare(gallery: np.ndarray, apart: np.ndarray) -> Ask:
        first, kept = exact(gallery, apart), company_kept(gallery, k1, k2)

        def ask(queries: np.ndarray, own: np.ndarray, k: int) -> Neighbours:
            found = first(queries, own, max(k, depth, k1))
            left_out = _left_out(queries, own, gallery, apart)
            codes = _codes_of(queries, found, left_out, kept, k1, k2)
            overlaps = np.zeros_like(found.scores)
            overlaps[:, :depth] = _overlaps(codes, kept.averaged, found.rows[:, :depth], left_out.others)
            return _in_order(found.rows, share * found.scores + (1 - share) * overlaps, k)

        return ask

    return prepare


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A gallery's companies, made before a query comes. The matrices are sparse (N, N), a row a picture."""

    gallery: np.ndarray  # (N, D)
    last: np.ndarray  # (N,) how near each picture's k1-th is; -inf where there are not so many
    halves: csr_array  # 1 where two are k1/2-reciprocal, and on the diagonal
    codes: csr_array  # a row's weights are together one
    averaged: csr_array  # codes, each averaged with those of its picture's nearest


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """The gallery pictures that are not compared with a query, (B, N) sparse, 1 each."""

    itself: csr_array  # those that are the query's very picture
    others: csr_array  # and those that are not


def company_kept(gallery: np.ndarray, k1: int, k2: int) -> Kept:
    """The codes of a gallery among itself. gallery (N, D)."""
    count = min(k1, len(gallery) - 1)
    found = nearest(gallery, gallery, k=count + 1)
    found = compared(found, found.rows != np.arange(len(gallery))[:, None], count)
    near = _reciprocal(found.rows)
    halves = _reciprocal(found.rows[:, : int(np.around(k1 / 2))])
    parts = [slice(start, start + BLOCK) for start in range(0, len(gallery), BLOCK)]
    codes = vstack([_coded(_company(near[part], halves), gallery[part], gallery) for part in parts], format="csr")
    last = found.scores[:, -1] if count == k1 else np.full(len(gallery), -np.inf)
    averaged = _shares(_listed(_with_itself(found.rows[:, : k2 - 1]), len(gallery)) @ codes)
    return Kept(gallery=gallery, last=last, halves=halves, codes=codes, averaged=averaged)


def _with_itself(rows: np.ndarray) -> np.ndarray:
    """Lists of neighbours, each opened by whom it is of. rows (N, k) -> (N, 1 + k)."""
    return np.hstack([np.arange(len(rows))[:, None], rows])


def _listed(rows: np.ndarray, width: int) -> csr_array:
    """1 where a row lists a picture. rows (B, k), -1 for nobody -> (B, width)."""
    there = rows != NOBODY
    ends = np.concatenate([[0], there.sum(1).cumsum()])
    return csr_array((np.ones(ends[-1], np.int32), rows[there], ends), shape=(len(rows), width))


def _reciprocal(rows: np.ndarray) -> csr_array:
    """1 where each of two lists the other, and on the diagonal. rows (N, k), without oneself -> (N, N)."""
    listed = _listed(_with_itself(rows), len(rows))
    return (listed * listed.T).tocsr()


def _company(near: csr_array, halves: csr_array) -> csr_array:
    """Reciprocal neighbours, and the halves of those of them whose halves overlap with them. (B, N), (N, N) -> (B, N)."""
    overlap = ((near @ halves) * near).tocsr()  # halves are symmetric
    joins = overlap.copy()
    joins.data = (3 * overlap.data > 2 * halves.sum(1)[overlap.indices]).astype(np.int32)
    company = (near + joins @ halves).tocsr()
    company.eliminate_zeros()
    company.data[:] = 1
    return company


def _coded(company: csr_array, vectors: np.ndarray, gallery: np.ndarray) -> csr_array:
    """Each one's company, weighed by exp(-d). company (B, N), vectors (B, D), gallery (N, D) -> (B, N)."""
    alike = _by_pairs(lambda one, other: np.einsum("nd,nd->n", one, other), company, vectors, gallery)
    return _shares(csr_array((np.exp(alike - 1), company.indices, company.indptr), shape=company.shape))


def _by_pairs(
    tell: Callable[[np.ndarray, np.ndarray], np.ndarray], pairs: csr_array, vectors: np.ndarray, gallery: np.ndarray
) -> np.ndarray:
    """What is told of the two vectors of each entry of a sparse matrix. (B, N), (B, D), (N, D) -> (entries,)."""
    rows = np.repeat(np.arange(len(vectors)), np.diff(pairs.indptr))
    parts = [slice(start, start + PAIRS) for start in range(0, max(1, len(rows)), PAIRS)]
    return np.concatenate([tell(vectors[rows[part]], gallery[pairs.indices[part]]) for part in parts])


def _shares(weights: csr_array) -> csr_array:
    """Weights that are together one in each row that has any. (B, N)."""
    sums = weights.sum(1)
    data = weights.data / np.repeat(np.where(sums > 0, sums, 1), np.diff(weights.indptr))
    return csr_array((data.astype(np.float32), weights.indices, weights.indptr), shape=weights.shape)


def _left_out(queries: np.ndarray, own: np.ndarray, gallery: np.ndarray, apart: np.ndarray) -> LeftOut:
    """What is not compared with each query; its very picture is known by an equal vector. queries (B, D), own (B,)."""
    order = np.argsort(apart, kind="stable")
    begins, ends = (np.searchsorted(apart, own, side=side, sorter=order) for side in ("left", "right"))
    counts = ends - begins
    stops = np.concatenate([[0], counts.cumsum()])
    places = np.arange(stops[-1]) + np.repeat(begins - stops[:-1], counts)
    all_of_it = csr_array((np.ones(len(places), np.int32), order[places], stops), shape=(len(queries), len(gallery)))
    same = _by_pairs(lambda one, other: (one == other).all(1), all_of_it, queries, gallery)
    return LeftOut(itself=_only(all_of_it, same), others=_only(all_of_it, ~same))


def _only(entries: csr_array, kept: np.ndarray) -> csr_array:
    """Some of the entries of a sparse matrix. kept (entries,) bool."""
    some = entries.copy()
    some.data = kept.astype(entries.dtype)
    some.eliminate_zeros()
    return some


def _codes_of(queries: np.ndarray, found: Neighbours, left_out: LeftOut, kept: Kept, k1: int, k2: int) -> csr_array:
    """The queries' averaged codes. queries (B, D), found (B, k1 or more) -> (B, N)."""
    rows, scores = found.rows[:, :k1], found.scores[:, :k1]
    mutual = np.where(scores >= kept.last[rows] - TIE, rows, NOBODY)  # not so for nobody, whose score is nan
    near = left_out.itself + _listed(mutual, len(kept.gallery))
    codes = _coded(_without(_company(near.tocsr(), kept.halves), left_out.others), queries, kept.gallery)
    together = codes + _listed(rows[:, : k2 - 1], len(kept.gallery)) @ kept.codes
    return _shares(_without(together.tocsr(), left_out.others))


def _without(weights: csr_array, others: csr_array) -> csr_array:
    """Weights less those of some entries. (B, N) each."""
    less = (weights - weights * others).tocsr()
    less.eliminate_zeros()
    return less


def _overlaps(codes: csr_array, averaged: csr_array, rows: np.ndarray, others: csr_array) -> np.ndarray:
    """Jaccard's index of each query's code and those of gallery pictures. rows (B, k), -1 for nobody -> (B, k).

    In the gallery's codes too, nothing counts that is left out for the query.
    """
    overlaps = np.zeros(rows.shape, np.float32)
    own, counts = np.zeros(codes.shape[1], np.float32), np.ones(codes.shape[1], np.float32)
    for query, theirs in enumerate(rows):
        mine, barred = _of_row(codes, query), others.indices[_of_row(others, query)]
        own[codes.indices[mine]], counts[barred] = codes.data[mine], 0
        there = averaged[theirs[theirs != NOBODY]]
        overlaps[query, : there.shape[0]] = _jaccard(there, own, counts if len(barred) else None)
        own[codes.indices[mine]], counts[barred] = 0, 1
    return overlaps


def _of_row(matrix: csr_array, row: int) -> slice:
    """Where a row's entries lie."""
    return slice(*matrix.indptr[row : row + 2])


def _jaccard(codes: csr_array, own: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    """Sum of minima over sum of maxima, with a code (N,) whose weights are together one. codes (k, N) -> (k,).

    counts (N,): 0 where an entry should not count; the others are then together one.
    """
    if counts is not None:
        codes = _shares(csr_array((codes.data * counts[codes.indices], codes.indices, codes.indptr), shape=codes.shape))
    shared = np.minimum(codes.data, own[codes.indices])
    least = np.add.reduceat(shared, codes.indptr[:-1]) if len(shared) else shared  # no row is empty: each has itself
    index: np.ndarray = least / (2 - least)
    return index


def _in_order(rows: np.ndarray, scores: np.ndarray, k: int) -> Neighbours:
    """The k of the highest scores; of equal ones the order that they came in stands. rows, scores (B, K)."""
    scores = rounded(scores)
    front = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # nan, which is nobody's, comes last
    return Neighbours(rows=np.take_along_axis(rows, front, 1), scores=np.take_along_axis(scores, front, 1))
