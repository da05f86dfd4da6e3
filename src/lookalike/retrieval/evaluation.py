"""Vectors and a table in, an `Evaluation` out: figures with intervals, and what became of every query.

In: one unit vector and one table row a picture, a protocol. Out: metrics, slices, the per-query table.
Never: embeds, decodes or writes. Memory stays flat: queries go through in blocks, no full distance matrix is ever held.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lookalike.retrieval.protocol import KS, Protocol, matched, sides
from lookalike.retrieval.recall import per_query
from lookalike.retrieval.search import DECIMALS, nearest
from lookalike.retrieval.significance import interval
from lookalike.settings import DataError

NEAREST_KEPT = 5
SLICES = ("category", "view")


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
    """Queries or gallery: row numbers in the table, and codes that are equal where the texts are."""

    rows: np.ndarray
    matches: np.ndarray
    left_out: np.ndarray


def evaluate(vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol, *, seed: int = 0) -> Evaluation:
    """Search every query among the gallery and score it. vectors (N, D) unit float32, in the order of table's rows."""
    matches = matched(table, protocol.match)
    asks, answers = sides(table, protocol)
    codes = np.unique(matches, return_inverse=True)[1]
    codes[matches == ""] = -1
    apart = np.unique(table[_id_column(protocol)].to_numpy(), return_inverse=True)[1]
    twins = _twins(codes, apart, asks, answers)
    scored = asks[twins > 0]
    if not len(scored):
        raise DataError(
            f"no query has a twin by {protocol.match} ({len(asks)} queries, {len(answers)} pictures in the gallery); "
            "a product needs two pictures (match=product), a style two products (match=style)"
        )
    found = _search(vectors, table, _Side(rows=scored, matches=codes, left_out=apart), answers, twins[twins > 0])
    metrics = per_query(found["hits"], twins[twins > 0], found["rank"])
    clusters = table[protocol.cluster].to_numpy()[scored]
    return Evaluation(
        protocol=protocol,
        queries=len(scored),
        no_twin=int((twins == 0).sum()),
        gallery=len(answers),
        figures=_figures(metrics, clusters, np.ones(len(scored), bool), seed),
        slices=_slices(metrics, clusters, table[scored], seed),
        table=_told(table[scored], metrics, found),
    )


def recall_at_1(vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol) -> float:
    """The one figure that chooses a checkpoint."""
    return evaluate(vectors, table, protocol).figures["recall@1"].value


def _id_column(protocol: Protocol) -> str:
    return "image" if protocol.left_out == "picture" else "product"


def _twins(codes: np.ndarray, apart: np.ndarray, asks: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """How many twins each query has in its gallery: those that match, less those that are left out. (Q,)"""
    size = codes.max() + 2
    of_match = np.bincount(codes[answers] + 1, minlength=size)
    pairs = codes.astype(np.int64) * (apart.max() + 1) + apart
    both, counts = np.unique(pairs[answers], return_counts=True)
    at = np.clip(np.searchsorted(both, pairs[asks]), 0, max(len(both) - 1, 0))
    own = np.where(both[at] == pairs[asks], counts[at], 0) if len(both) else 0
    twins: np.ndarray = np.where(codes[asks] < 0, 0, of_match[codes[asks] + 1] - own)
    return twins


def _search(
    vectors: np.ndarray, table: pl.DataFrame, asked: _Side, answers: np.ndarray, twins: np.ndarray
) -> dict[str, np.ndarray]:
    """Hits, rank of the first twin and the nearest strangers of each scored query, block by block."""
    order = np.argsort(np.argsort(table["image"].to_numpy()[answers]))
    most_left_out = int(np.bincount(asked.left_out[answers]).max())
    keep = min(max(int(twins.max()), max(KS)), len(answers))
    images = table["image"].to_numpy()
    parts = []
    for block in nearest(vectors[asked.rows], vectors[answers], order, k=keep + most_left_out):
        rows = asked.rows[block.start : block.start + len(block.rows)]
        parts.append(_block(vectors, asked, answers, order, rows, block.rows, block.scores, keep, images))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _block(
    vectors: np.ndarray,
    asked: _Side,
    answers: np.ndarray,
    order: np.ndarray,
    rows: np.ndarray,
    found: np.ndarray,
    scores: np.ndarray,
    keep: int,
    images: np.ndarray,
) -> dict[str, np.ndarray]:
    allowed = asked.left_out[answers[found]] != asked.left_out[rows][:, None]
    # those left out go behind the rest, which keeps its order; then only the first `keep` stand
    front = np.argsort(~allowed, axis=1, kind="stable")[:, :keep]
    found, scores = np.take_along_axis(found, front, 1), np.take_along_axis(scores, front, 1)
    allowed = np.take_along_axis(allowed, front, 1)
    hits = (asked.matches[answers[found]] == asked.matches[rows][:, None]) & allowed
    rank = hits.argmax(1) + 1
    for missed in np.flatnonzero(~hits.any(1)):
        rank[missed] = _rank_beyond(vectors, asked, answers, order, rows[missed])
    strangers = allowed & ~hits
    behind = np.argsort(~strangers, axis=1, kind="stable")[:, :NEAREST_KEPT]
    return {
        "hits": hits,
        "rank": rank,
        "nearest_strangers": _names(images[answers], found, behind, strangers),
        "nearest": _names(
            images[answers], found, np.argsort(~allowed, axis=1, kind="stable")[:, :NEAREST_KEPT], allowed
        ),
        "score": scores[:, 0],
    }


def _rank_beyond(vectors: np.ndarray, asked: _Side, answers: np.ndarray, order: np.ndarray, row: int) -> int:
    """The rank of a first twin that lies beyond the nearest kept: one query's scores against the whole gallery."""
    scores = np.round(vectors[answers] @ vectors[row], DECIMALS)
    allowed = asked.left_out[answers] != asked.left_out[row]
    twin = allowed & (asked.matches[answers] == asked.matches[row])
    best = np.lexsort((order[twin], -scores[twin]))[0]
    top, place = scores[twin][best], order[twin][best]
    ahead = allowed & ((scores > top) | ((scores == top) & (order < place)))
    return int(ahead.sum()) + 1


def _names(images: np.ndarray, found: np.ndarray, pick: np.ndarray, good: np.ndarray) -> np.ndarray:
    chosen, valid = np.take_along_axis(found, pick, 1), np.take_along_axis(good, pick, 1)
    lists = np.empty(len(found), object)
    lists[:] = [list(images[row[ok]]) for row, ok in zip(chosen, valid, strict=True)]
    return lists


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


def _told(table: pl.DataFrame, metrics: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> pl.DataFrame:
    return table.select("image", "product", "style", "view", "category", "brand", "color").with_columns(
        pl.Series("rank", found["rank"].astype(np.int64)),
        pl.Series("score", found["score"].astype(np.float64)),
        *[pl.Series(name, values) for name, values in metrics.items()],
        pl.Series("nearest", found["nearest"].tolist(), dtype=pl.List(pl.String)),
        pl.Series("nearest_strangers", found["nearest_strangers"].tolist(), dtype=pl.List(pl.String)),
    )
