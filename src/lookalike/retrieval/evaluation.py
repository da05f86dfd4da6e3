"""Vectors and a table in, an `Evaluation` out: figures with intervals, and what became of every query.

In: one unit vector and one table row a picture, a protocol. Out: metrics, slices, the per-query table.
Never: embeds, decodes or writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lookalike.retrieval.protocol import KS, Protocol
from lookalike.retrieval.ranking import Ranking, Sides, rank, sides_of
from lookalike.retrieval.search import NOBODY, Search, exact, refuse_unfit
from lookalike.retrieval.significance import intervals
from lookalike.retrieval.slices import SLICES, present, sliced
from lookalike.settings import DataError

OF_SLICES = ("recall@1", "map@r")  # the figures of a slice
TOLD = ("image", "product", "style", "view", "category", "brand", "color")  # of each query


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
    slices: dict[str, dict[str, dict[str, Figure]]]  # column -> value -> metric
    slices_left_out: dict[str, dict[str, int]]  # column -> values without a slice, their queries, untold queries
    depth: int  # how many neighbours the table's `hits` speak of
    table: pl.DataFrame  # one row a scored query
    seconds: float  # that the search took for all scored queries; a clock's word, so not among what is told
    preparing: float  # seconds that it took before, for the gallery alone

    def told(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        counts = {"queries": self.queries, "no_twin": self.no_twin, "gallery": self.gallery}
        return {
            "protocol": self.protocol.told(),
            self.protocol.split: {name: figure.told() for name, figure in self.figures.items()} | counts,
            "slices": {
                column: {
                    value: {name: one.told() for name, one in figures.items()} for value, figures in values.items()
                }
                for column, values in self.slices.items()
            },
            "slices_left_out": self.slices_left_out,
        }


def evaluate(
    vectors: np.ndarray,
    table: pl.DataFrame,
    protocol: Protocol,
    *,
    seed: int = 0,
    slices: Sequence[str] = SLICES,
    depth: int = max(KS),
    search: Search = exact,
) -> Evaluation:
    """Search every query among the gallery and score it.

    vectors (N, D) unit float32, in the order of table's rows; slices: columns to cut by, attributes too; depth: how many
    neighbours of each query the table's `hits` tell of; search: how the nearest are found, which `protocol.search` tells.
    """
    columns = present(table, slices)
    asked, ranking = _searched(vectors, table, protocol, depth=depth, search=search)
    scored = table[asked.asks[asked.twins > 0]]
    clusters = np.unique(scored[protocol.cluster].to_numpy(), return_inverse=True)[1]
    cuts = {column: sliced(scored, column, clusters) for column in columns}
    few = {name: ranking.metrics[name] for name in OF_SLICES}
    return Evaluation(
        protocol=protocol,
        queries=len(scored),
        no_twin=len(asked.asks) - len(scored),
        gallery=len(asked.answers),
        figures=_figures(ranking.metrics, clusters, np.ones(len(scored), bool), seed),
        slices={
            column: {label: _figures(few, clusters, cut.labels == label, seed) for label in cut.kept}
            for column, cut in cuts.items()
            if cut.kept
        },
        slices_left_out={column: cut.left_out for column, cut in cuts.items()},
        depth=depth,
        table=_told(scored, asked, ranking, table["image"]),
        seconds=ranking.seconds,
        preparing=ranking.preparing,
    )


def map_at_r(vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol, *, search: Search = exact) -> float:
    """The one figure that chooses a checkpoint, without its interval.

    It sees where every twin is found, so a few hundred queries tell two networks apart that share a recall@1.
    """
    return float(_searched(vectors, table, protocol, search=search)[1].metrics["map@r"].mean())


def check(table: pl.DataFrame, protocol: Protocol) -> None:
    """Raise what `evaluate` would raise of this table, before there are vectors: a training should not end in it."""
    _asked(table, protocol)


def _searched(
    vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol, *, depth: int = max(KS), search: Search
) -> tuple[Sides, Ranking]:
    refuse_unfit(vectors)
    asked = _asked(table, protocol)
    return asked, rank(vectors, asked, depth=depth, search=search)


def _asked(table: pl.DataFrame, protocol: Protocol) -> Sides:
    """Who asks whom; a DataError where nobody who asks has a twin."""
    asked = sides_of(table, protocol)
    if not (asked.twins > 0).any():
        raise DataError(
            f"split {protocol.split}: no query has a twin by {protocol.match} ({len(asked.asks)} queries, "
            f"{len(asked.answers)} pictures in the gallery); a product needs two pictures (match=product), a style two "
            "products (match=style)"
        )
    return asked


def _figures(metrics: dict[str, np.ndarray], clusters: np.ndarray, among: np.ndarray, seed: int) -> dict[str, Figure]:
    """The means over some of the queries. metrics (Q,) each, clusters (Q,), among (Q,) bool."""
    values = np.stack([of[among] for of in metrics.values()], axis=1)
    found = zip(metrics, values.mean(0), intervals(values, clusters[among], seed=seed), strict=True)
    return {
        name: Figure(value=float(value), low=float(low), high=float(high), queries=len(values))
        for name, value, (low, high) in found
    }


def _told(scored: pl.DataFrame, asked: Sides, ranking: Ranking, images: pl.Series) -> pl.DataFrame:
    """One row a query: who it is, how it fared, and who was nearest."""
    depth = ranking.hits.shape[1]
    ranks = np.where(ranking.hits, np.arange(1, depth + 1, dtype=np.int32), NOBODY)
    return scored.select(TOLD).with_columns(
        pl.Series("rank", ranking.first),
        pl.Series("score", ranking.score.astype(np.float64)).fill_nan(None),
        pl.Series("twins", asked.twins[asked.twins > 0]),
        _ragged("hits", ranks),
        *[pl.Series(name, values) for name, values in ranking.metrics.items()],
        _named("nearest", ranking.nearest, images),
        _named("nearest_strangers", ranking.strangers, images),
    )


def _ragged(name: str, values: np.ndarray) -> pl.Series:
    """Lists of those that are somebody. values (Q, k) whole numbers, -1 for nobody."""
    told = pl.Series(name, values.ravel()).replace(NOBODY, None)
    return told.reshape(values.shape).arr.to_list().list.drop_nulls()


def _named(name: str, rows: np.ndarray, images: pl.Series) -> pl.Series:
    """Lists of the ids of pictures. rows (Q, k) of the table, -1 for nobody."""
    flat = pl.Series(rows.ravel()).replace(NOBODY, None)
    return images.gather(flat).alias(name).reshape(rows.shape).arr.to_list().list.drop_nulls()
