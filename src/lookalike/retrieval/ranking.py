"""The ranking behind every figure: who asks, who answers, and at which ranks each query's twins come.

In: vectors, a table and a protocol. Out: the `Sides`, and a `Ranking` of the queries that have a twin. Never: averages
anything. Memory stays flat: queries go through in blocks, no full distance matrix is ever held.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from lookalike.retrieval.protocol import KS, Protocol, coded, matched, sides
from lookalike.retrieval.recall import per_query
from lookalike.retrieval.search import nearest, rounded

BLOCK = 4096  # queries searched at a time
HELD = 2_000_000  # neighbours held at a time: a match as wide as a category takes smaller blocks, not more memory
NEAREST_KEPT = 5
NOBODY = -1


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Who asks and who answers, as row numbers of the table; the gallery is in the order of its ids, which settles ties.

    Equal codes in `match` are twins (-1: nobody's), equal ones in `apart` are not compared.
    """

    asks: np.ndarray  # (Q,)
    answers: np.ndarray  # (N,)
    match: np.ndarray  # (P,) of every picture of the table
    apart: np.ndarray  # (P,)
    twins: np.ndarray  # (Q,) how many each query has in its gallery

    @property
    def spare(self) -> int:
        """How many of the gallery may be left out for one query."""
        return int(np.bincount(self.apart[self.answers]).max(initial=0))

    def compared(self, queries: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """Which pictures are not left out. queries (B,), pictures (B, k) or (k,) -> (B, k)."""
        kept: np.ndarray = self.apart[pictures] != self.apart[queries, None]
        return kept

    def alike(self, queries: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """Which pictures match, be they left out or not; the queries are somebody's twin. Shapes as in `compared`."""
        same: np.ndarray = self.match[pictures] == self.match[queries, None]
        return same


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What the search brought each query. Rows of pictures are the table's, -1 where a small gallery ran out of them."""

    metrics: dict[str, np.ndarray]  # (Q,) each
    first: np.ndarray  # (Q,) rank of the first twin, from 1
    score: np.ndarray  # (Q,) of the nearest
    hits: np.ndarray  # (Q, depth) bool: whether the neighbour at each rank is a twin
    nearest: np.ndarray  # (Q, NEAREST_KEPT)
    strangers: np.ndarray  # (Q, NEAREST_KEPT)


def sides_of(table: pl.DataFrame, protocol: Protocol) -> Sides:
    """Who asks whom under a protocol."""
    images = table["image"].to_numpy()
    asks, answers = sides(table, protocol)
    match = coded(matched(table, protocol.match))
    apart = coded(images if protocol.left_out == "picture" else table["product"].to_numpy())
    return Sides(
        asks=asks,
        answers=answers[np.argsort(images[answers])],
        match=match,
        apart=apart,
        twins=_twins(match[asks], apart[asks], match[answers], apart[answers]),
    )


def _twins(match: np.ndarray, apart: np.ndarray, of_gallery: np.ndarray, apart_there: np.ndarray) -> np.ndarray:
    """Those in the gallery that match, less those of them that are left out; -1 matches nobody. (Q,), (N,) -> (Q,)."""
    matching = np.bincount(of_gallery + 1, minlength=match.max(initial=0) + 2)[match + 1]
    width = max(apart.max(initial=0), apart_there.max(initial=0)) + 1
    left_out, counts = np.unique(of_gallery * width + apart_there, return_counts=True)
    own = match * width + apart
    at = np.searchsorted(left_out, own).clip(max=len(left_out) - 1)
    twins: np.ndarray = np.where(match < 0, 0, matching - np.where(left_out[at] == own, counts[at], 0))
    return twins


def rank(vectors: np.ndarray, asked: Sides, *, depth: int = max(KS)) -> Ranking:
    """Search and score block by block the queries that have a twin. vectors (P, D), as many as the table has rows.

    As many neighbours are kept as the metrics need, plus those that are left out; `hits` tells of the first `depth`.
    """
    gallery = np.ascontiguousarray(vectors[asked.answers], np.float32)
    queries, twins = asked.asks[asked.twins > 0], asked.twins[asked.twins > 0]
    keep = min(max(int(twins.max(initial=0)), depth, max(KS)), len(gallery))
    block = min(max(1, HELD // keep), BLOCK)
    ranked = partial(_rank_block, vectors, gallery, asked, keep=keep, depth=depth)
    parts = [slice(start, start + block) for start in range(0, len(queries), block)]
    return _joined([ranked(queries[part], twins[part]) for part in parts])


def _rank_block(
    vectors: np.ndarray,
    gallery: np.ndarray,
    asked: Sides,
    queries: np.ndarray,
    twins: np.ndarray,
    *,
    keep: int,
    depth: int,
) -> Ranking:
    """Rank some queries. gallery (N, D), the vectors of `asked.answers`; queries (B,), rows of the table; twins (B,)."""
    seen = np.ascontiguousarray(vectors[queries], np.float32)
    found = nearest(seen, gallery, k=keep + asked.spare)
    allowed = asked.compared(queries, asked.answers[found.rows])
    # those left out go behind the rest, which keeps its order; then only the first `keep` stand
    front = np.argsort(~allowed, axis=1, kind="stable")[:, :keep]
    allowed = np.take_along_axis(allowed, front, 1)
    pictures = asked.answers[np.take_along_axis(found.rows, front, 1)]
    hits = asked.alike(queries, pictures) & allowed
    first = hits.argmax(1) + 1
    missed = np.flatnonzero(~hits.any(1))
    first[missed] = _beyond(seen[missed], gallery, queries[missed], asked)
    return Ranking(
        metrics=per_query(hits, twins, first),
        first=first,
        score=np.take_along_axis(found.scores, front[:, :1], 1)[:, 0],
        hits=hits[:, :depth],
        nearest=_first_few(pictures, allowed),
        strangers=_first_few(pictures, allowed & ~hits),
    )


def _beyond(seen: np.ndarray, gallery: np.ndarray, queries: np.ndarray, asked: Sides) -> np.ndarray:
    """Ranks of first twins that lie beyond the nearest kept: scores against the whole gallery, a few queries at a time.

    seen (B, D), the vectors of queries (B,) -> (B,).
    """
    ranks = np.empty(len(queries), np.int64)
    few = max(1, HELD // len(gallery))
    for part in (slice(start, start + few) for start in range(0, len(queries), few)):
        allowed = asked.compared(queries[part], asked.answers)
        twin = allowed & asked.alike(queries[part], asked.answers)
        scores = rounded(seen[part] @ gallery.T)
        place = np.where(twin, scores, -np.inf).argmax(1)[:, None]  # of equal ones the first: ties by id
        top = np.take_along_axis(scores, place, 1)
        ahead = (scores > top) | ((scores == top) & (np.arange(len(gallery)) < place))
        ranks[part] = (ahead & allowed).sum(1) + 1
    return ranks


def _first_few(pictures: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The first rows of each query that are good, -1 where there are no more. pictures, good (B, k) -> (B, NEAREST_KEPT)."""
    front = np.argsort(~good, axis=1, kind="stable")[:, :NEAREST_KEPT]
    few = np.where(np.take_along_axis(good, front, 1), np.take_along_axis(pictures, front, 1), NOBODY)
    return np.pad(few, ((0, 0), (0, NEAREST_KEPT - few.shape[1])), constant_values=NOBODY)


def _joined(blocks: list[Ranking]) -> Ranking:
    names = ("first", "score", "hits", "nearest", "strangers")
    return Ranking(
        metrics={name: np.concatenate([block.metrics[name] for block in blocks]) for name in blocks[0].metrics},
        **{name: np.concatenate([getattr(block, name) for block in blocks]) for name in names},
    )
