"""The ranking behind every figure: who asks, who answers, and at which ranks each query's twins come.

In: vectors, a table, a protocol and a search. Out: the `Sides`, and a `Ranking` of the queries that have a twin. Never:
averages anything. Memory stays flat: queries go through in blocks, no full distance matrix is ever held.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
import polars as pl

from lookalike.retrieval.protocol import KS, Protocol, coded, matched, sides
from lookalike.retrieval.recall import per_query
from lookalike.retrieval.search import NOBODY, Ask, Search, exact, rounded

BLOCK = 4096  # queries searched at a time
HELD = 2_000_000  # neighbours held at a time: a match as wide as a category takes smaller blocks, not more memory
NEAREST_KEPT = 5
FURTHER = 8  # times as many neighbours are asked for where the first twin was not among them

Beyond = Callable[[np.ndarray, np.ndarray], np.ndarray]  # the vectors (B, D) of queries, the queries (B,) -> ranks (B,)


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
    """What the search brought each query. Rows of pictures are the table's, -1 where the search had no more to bring."""

    metrics: dict[str, np.ndarray]  # (Q,) each
    first: np.ndarray  # (Q,) rank of the first twin, from 1
    score: np.ndarray  # (Q,) of the nearest; nan where there is none
    hits: np.ndarray  # (Q, depth) bool: whether the neighbour at each rank is a twin
    nearest: np.ndarray  # (Q, NEAREST_KEPT)
    strangers: np.ndarray  # (Q, NEAREST_KEPT)
    seconds: float  # that the search took to bring them
    preparing: float  # seconds that it took before, for the gallery alone


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


def rank(vectors: np.ndarray, asked: Sides, *, depth: int = max(KS), search: Search = exact) -> Ranking:
    """Search and score block by block the queries that have a twin. vectors (P, D), as many as the table has rows.

    As many neighbours are kept as the metrics need; `hits` tells of the first `depth`. A twin that the search does not
    bring, however many are asked for, counts as the last of those that may be compared with its query.
    """
    gallery = np.ascontiguousarray(vectors[asked.answers], np.float32)
    queries, twins = asked.asks[asked.twins > 0], asked.twins[asked.twins > 0]
    keep = min(max(int(twins.max(initial=0)), depth, max(KS)), len(gallery))
    block = min(max(1, HELD // keep), BLOCK)
    began = perf_counter()
    ask = search(gallery, asked.apart[asked.answers])
    preparing = perf_counter() - began
    beyond = partial(_beyond, gallery, asked) if search is exact else partial(_further, ask, asked, keep)
    ranked = partial(_rank_block, vectors, asked, ask, beyond, keep=keep, depth=depth)
    parts = [slice(start, start + block) for start in range(0, len(queries), block)]
    return _joined([ranked(queries[part], twins[part]) for part in parts], preparing)


def _rank_block(
    vectors: np.ndarray,
    asked: Sides,
    ask: Ask,
    beyond: Beyond,
    queries: np.ndarray,
    twins: np.ndarray,
    *,
    keep: int,
    depth: int,
) -> Ranking:
    """Rank some queries. queries (B,), rows of the table; twins (B,)."""
    seen = np.ascontiguousarray(vectors[queries], np.float32)
    began = perf_counter()
    found = ask(seen, asked.apart[queries], keep)
    seconds = perf_counter() - began
    pictures, hits = _hits(found.rows, queries, asked)
    first = hits.argmax(1) + 1
    missed = np.flatnonzero(~hits.any(1))
    first[missed] = beyond(seen[missed], queries[missed])
    return Ranking(
        metrics=per_query(hits, twins, first),
        first=first,
        score=found.scores[:, 0],
        hits=hits[:, :depth],
        nearest=_first_few(pictures, pictures != NOBODY),
        strangers=_first_few(pictures, (pictures != NOBODY) & ~hits),
        seconds=seconds,
        preparing=0.0,
    )


def _hits(rows: np.ndarray, queries: np.ndarray, asked: Sides) -> tuple[np.ndarray, np.ndarray]:
    """The pictures found, as rows of the table, and which of them are twins. rows (B, k) of the gallery, queries (B,)."""
    there = rows != NOBODY
    pictures = np.where(there, asked.answers[rows], NOBODY)
    return pictures, asked.alike(queries, pictures) & there


def _beyond(gallery: np.ndarray, asked: Sides, seen: np.ndarray, queries: np.ndarray) -> np.ndarray:
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


def _further(ask: Ask, asked: Sides, tried: int, seen: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Ranks of first twins that another search had behind its first `tried`: it is asked for more until it has no more.

    seen (B, D), the vectors of queries (B,) -> (B,).
    """
    ranks, missing = _last(asked, queries), np.arange(len(queries))
    has_more = np.ones(len(queries), bool)
    while len(missing) and tried < len(asked.answers):
        tried = min(FURTHER * tried, len(asked.answers))
        few = max(1, HELD // tried)
        for part in (missing[start : start + few] for start in range(0, len(missing), few)):
            found = ask(seen[part], asked.apart[queries[part]], tried)
            hits = _hits(found.rows, queries[part], asked)[1]
            ranks[part] = np.where(hits.any(1), hits.argmax(1) + 1, ranks[part])
            has_more[part] = ~hits.any(1) & (found.rows[:, -1] != NOBODY)
        missing = missing[has_more[missing]]
    return ranks


def _last(asked: Sides, queries: np.ndarray) -> np.ndarray:
    """How many of the gallery may be compared with each query. queries (B,) -> (B,)."""
    codes, counts = np.unique(asked.apart[asked.answers], return_counts=True)
    at = np.searchsorted(codes, asked.apart[queries]).clip(max=len(codes) - 1)
    left_out = np.where(codes[at] == asked.apart[queries], counts[at], 0)
    last: np.ndarray = len(asked.answers) - left_out
    return last


def _first_few(pictures: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The first rows of each query that are good, -1 where there are no more. pictures, good (B, k) -> (B, NEAREST_KEPT)."""
    front = np.argsort(~good, axis=1, kind="stable")[:, :NEAREST_KEPT]
    few = np.where(np.take_along_axis(good, front, 1), np.take_along_axis(pictures, front, 1), NOBODY)
    return np.pad(few, ((0, 0), (0, NEAREST_KEPT - few.shape[1])), constant_values=NOBODY)


def _joined(blocks: list[Ranking], preparing: float) -> Ranking:
    names = ("first", "score", "hits", "nearest", "strangers")
    return Ranking(
        metrics={name: np.concatenate([block.metrics[name] for block in blocks]) for name in blocks[0].metrics},
        **{name: np.concatenate([getattr(block, name) for block in blocks]) for name in names},
        seconds=sum(block.seconds for block in blocks),
        preparing=preparing,
    )
