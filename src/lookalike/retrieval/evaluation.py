"""Vectors and a table in, an `Evaluation` out: figures with intervals, and what became of every query.

In: one unit vector and one table row a picture, a protocol. Out: metrics, slices, the per-query table.
Never: embeds, decodes or writes. Memory stays flat: queries go through in blocks, no full distance matrix is ever held.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lookalike.retrieval.protocol import KS, Protocol, coded, matched, sides
from lookalike.retrieval.recall import per_query
from lookalike.retrieval.search import DECIMALS, Neighbours, nearest
from lookalike.retrieval.significance import interval
from lookalike.settings import DataError

NEAREST_KEPT = 5
HELD = 2_000_000  # neighbours held at a time: a match as wide as a category takes smaller blocks, not more memory
SLICES = ("category", "view")
UNIT = 1e-3  # how far from one the length of a vector may be


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A mean over queries with its 95 % interval."""

    value: float
    low: float
    high: float
    queries: int

    def told(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        return {"value": self.value, "ci95": [self.low, self.high], "queries": self.queries}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well queries found their twins. Queries without a twin in the gallery are counted, never scored."""

    protocol: Protocol
    queries: int
    no_twin: int
    gallery: int
    figures: dict[str, Figure]
    slices: dict[str, dict[str, dict[str, Figure]]]
    table: pl.DataFrame  # one row a scored query


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Pictures that ask, or that answer. Equal codes in `match` are twins (-1: nobody's), in `apart` are not compared."""

    vectors: np.ndarray  # (N, D)
    match: np.ndarray  # (N,)
    apart: np.ndarray  # (N,)
    images: np.ndarray  # (N,) ids

    def rows(self, which: np.ndarray | slice) -> "_Side":
        return _Side(**{name: values[which] for name, values in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class _Ranking:
    """What the search brought each query. Lists of ids are ragged: a small gallery runs out of strangers."""

    metrics: dict[str, np.ndarray]  # (Q,) each
    first: np.ndarray  # (Q,) rank of the first twin, from 1
    score: np.ndarray  # (Q,) of the nearest
    nearest: list[list[str]]
    strangers: list[list[str]]


def evaluate(vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol, *, seed: int = 0) -> Evaluation:
    """Search every query among the gallery and score it. vectors (N, D) unit float32, in the order of table's rows."""
    asks, answers, twins, ranking = _searched(vectors, table, protocol)
    scored = table[asks[twins > 0]]
    clusters = scored[protocol.cluster].to_numpy()
    return Evaluation(
        protocol=protocol,
        queries=len(scored),
        no_twin=int((twins == 0).sum()),
        gallery=len(answers),
        figures=_figures(ranking.metrics, clusters, np.ones(len(scored), bool), seed),
        slices=_slices(ranking.metrics, clusters, scored, seed),
        table=_told(scored, ranking),
    )


def recall_at_1(vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol) -> float:
    """The one figure that chooses a checkpoint, without the intervals."""
    return float((_searched(vectors, table, protocol)[3].first == 1).mean())


def check(table: pl.DataFrame, protocol: Protocol) -> None:
    """Raise what `evaluate` would raise of this table, before there are vectors: a training should not end in it."""
    _asked(np.zeros((len(table), 0), np.float32), table, protocol)


def _searched(
    vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol
) -> tuple[np.ndarray, np.ndarray, np.ndarray, _Ranking]:
    """Row numbers of queries and gallery, the twins of each query, and the ranking of those queries that have one."""
    _refuse_unfit(vectors)
    everyone, asks, answers, twins = _asked(vectors, table, protocol)
    ranking = _rank(everyone.rows(asks[twins > 0]), everyone.rows(answers), twins[twins > 0])
    return asks, answers, twins, ranking


def _asked(
    vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol
) -> tuple[_Side, np.ndarray, np.ndarray, np.ndarray]:
    """Every picture, the row numbers of queries and of the gallery, and how many twins each query has there."""
    everyone = _Side(
        vectors=vectors,
        match=coded(matched(table, protocol.match)),
        apart=coded(table["image" if protocol.left_out == "picture" else "product"].to_numpy()),
        images=table["image"].to_numpy(),
    )
    asks, answers = sides(table, protocol)
    twins = _twins(everyone.rows(asks), everyone.rows(answers))
    if not (twins > 0).any():
        raise DataError(
            f"split {protocol.split}: no query has a twin by {protocol.match} ({len(asks)} queries, {len(answers)} pictures "
            "in the gallery); a product needs two pictures (match=product), a style two products (match=style)"
        )
    return everyone, asks, answers, twins


def _refuse_unfit(vectors: np.ndarray) -> None:
    """Not a number is neither near nor far, so a search that meets it brings anything, even a perfect score."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors, axis=1)
    finite = np.isfinite(vectors).all(1)
    unfit = ~finite | ~(np.abs(lengths - 1) <= UNIT)
    if unfit.any():
        raise DataError(
            f"{unfit.sum()} of {len(vectors)} vectors cannot be compared: {(~finite).sum()} are not finite, "
            f"{(unfit & finite).sum()} are not of length one. A training that diverged leaves such a network: "
            "train again at a lower learning rate (optimiser.head_lr, optimiser.backbone_lr)"
        )


def _twins(queries: _Side, gallery: _Side) -> np.ndarray:
    """How many twins each query has in its gallery: those that match, less those that are left out. (Q,)"""
    of_match = np.bincount(gallery.match + 1, minlength=queries.match.max(initial=0) + 2)
    width = max(queries.apart.max(initial=0), gallery.apart.max(initial=0)) + 1
    both, counts = np.unique(gallery.match * width + gallery.apart, return_counts=True)
    asked = queries.match * width + queries.apart
    at = np.searchsorted(both, asked).clip(max=max(len(both) - 1, 0))
    own = np.where(both[at] == asked, counts[at], 0) if len(both) else 0
    twins: np.ndarray = np.where(queries.match < 0, 0, of_match[queries.match + 1] - own)
    return twins


def _rank(queries: _Side, gallery: _Side, twins: np.ndarray) -> _Ranking:
    """Search and score block by block. As many neighbours are kept as the metrics need, plus those that are left out."""
    order = np.argsort(np.argsort(gallery.images))
    keep = min(max(int(twins.max()), max(KS)), len(gallery.images))
    left_out = int(np.max(np.bincount(gallery.apart)))
    blocks = [
        _rank_block(queries.rows(part), gallery, order, found, keep, twins[part])
        for found in nearest(queries.vectors, gallery.vectors, order, k=keep + left_out, block=max(1, HELD // keep))
        for part in [slice(found.start, found.start + len(found.rows))]
    ]
    return _Ranking(
        metrics={name: np.concatenate([block.metrics[name] for block in blocks]) for name in blocks[0].metrics},
        first=np.concatenate([block.first for block in blocks]),
        score=np.concatenate([block.score for block in blocks]),
        nearest=[names for block in blocks for names in block.nearest],
        strangers=[names for block in blocks for names in block.strangers],
    )


def _rank_block(
    queries: _Side, gallery: _Side, order: np.ndarray, found: Neighbours, keep: int, twins: np.ndarray
) -> _Ranking:
    allowed = gallery.apart[found.rows] != queries.apart[:, None]
    # those left out go behind the rest, which keeps its order; then only the first `keep` stand
    front = np.argsort(~allowed, axis=1, kind="stable")[:, :keep]
    rows, allowed = np.take_along_axis(found.rows, front, 1), np.take_along_axis(allowed, front, 1)
    hits = (gallery.match[rows] == queries.match[:, None]) & allowed
    first = hits.argmax(1) + 1
    for missed in np.flatnonzero(~hits.any(1)):
        first[missed] = _rank_beyond(queries.rows(slice(missed, missed + 1)), gallery, order)
    return _Ranking(
        metrics=per_query(hits, twins, first),
        first=first,
        score=np.take_along_axis(found.scores, front[:, :1], 1)[:, 0],
        nearest=_first_few(gallery.images[rows], allowed),
        strangers=_first_few(gallery.images[rows], allowed & ~hits),
    )


def _rank_beyond(query: _Side, gallery: _Side, order: np.ndarray) -> int:
    """The rank of a first twin that lies beyond the nearest kept: one query's scores against the whole gallery."""
    scores = np.round(gallery.vectors @ query.vectors[0], DECIMALS)
    allowed = gallery.apart != query.apart
    twin = allowed & (gallery.match == query.match)
    best = np.lexsort((order[twin], -scores[twin]))[0]
    top, place = scores[twin][best], order[twin][best]
    ahead = allowed & ((scores > top) | ((scores == top) & (order < place)))
    return int(ahead.sum()) + 1


def _first_few(images: np.ndarray, good: np.ndarray) -> list[list[str]]:
    """The first ids of each row that are good. images, good (B, k)."""
    return [list(row[ok][:NEAREST_KEPT]) for row, ok in zip(images, good, strict=True)]


def _figures(metrics: dict[str, np.ndarray], clusters: np.ndarray, among: np.ndarray, seed: int) -> dict[str, Figure]:
    found = {}
    for name, values in metrics.items():
        low, high = interval(values[among], clusters[among], seed=seed)
        found[name] = Figure(value=float(values[among].mean()), low=low, high=high, queries=int(among.sum()))
    return found


def _slices(
    metrics: dict[str, np.ndarray], clusters: np.ndarray, table: pl.DataFrame, seed: int
) -> dict[str, dict[str, dict[str, Figure]]]:
    few = {name: metrics[name] for name in ("recall@1", "map@r")}
    return {
        column: {
            value: _figures(few, clusters, (table[column] == value).to_numpy(), seed)
            for value in sorted(table[column].unique())
            if value
        }
        for column in SLICES
    }


def _told(table: pl.DataFrame, ranking: _Ranking) -> pl.DataFrame:
    return table.select("image", "product", "style", "view", "category", "brand", "color").with_columns(
        pl.Series("rank", ranking.first.astype(np.int64)),
        pl.Series("score", ranking.score.astype(np.float64)),
        *[pl.Series(name, values) for name, values in ranking.metrics.items()],
        pl.Series("nearest", ranking.nearest, dtype=pl.List(pl.String)),
        pl.Series("nearest_strangers", ranking.strangers, dtype=pl.List(pl.String)),
    )
