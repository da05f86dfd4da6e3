"""Products instead of pictures: several views of a product joined into one answer.

In: vectors, a table and a protocol, as for `evaluate`. Out: figures over queries, of the rank of the first right product.
Never: lets a query's own picture, or what else its protocol leaves out, speak for a product.

    mean:  a product is as near as the unit mean of its views        max:  as near as its nearest view

A hit is a product with a view that matches. With match=product that is the query's own product, by its other views; with
any wider match the own product is left out, and each other one that matches is a hit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from lookalike.retrieval.dial import clusters_of
from lookalike.retrieval.evaluation import Figure, check
from lookalike.retrieval.figures import figure
from lookalike.retrieval.protocol import Protocol, coded
from lookalike.retrieval.ranking import Sides, sides_of
from lookalike.retrieval.search import refuse_unfit, rounded

How = Literal["mean", "max"]
HOWS: tuple[How, ...] = ("mean", "max")
KS = (1, 5, 10)
HELD = 2_000_000  # scores held at a time


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The gallery, product by product in the order of their ids, which settles ties; its pictures as rows of the table."""

    rows: np.ndarray  # (N,) gallery pictures, those of one product together
    starts: np.ndarray  # (P,) where each product begins among them
    at: np.ndarray  # (N,) the place of each picture's product among the P

    def by_product(self, join: np.ufunc, values: np.ndarray) -> np.ndarray:
        """What is said of pictures (B, N), joined to what is said of products (B, P)."""
        joined: np.ndarray = join.reduceat(values, self.starts, axis=1)
        return joined


def by_product(
    vectors: np.ndarray, table: pl.DataFrame, protocol: Protocol, how: How, *, seed: int = 0
) -> dict[str, Figure]:
    """recall@1, recall@5, recall@10 and mrr of the right product. vectors (N, D) unit, in the order of table's rows."""
    refuse_unfit(vectors)
    check(table, protocol)
    asked = sides_of(table, protocol)
    first = first_ranks(vectors, table, asked, how)
    values = {**{f"recall@{k}": first <= k for k in KS}, "mrr": 1 / first}
    clusters = clusters_of(table, asked, protocol)
    return {name: figure(of, clusters, seed=seed) for name, of in values.items()}


def several_views(table: pl.DataFrame, protocol: Protocol) -> bool:
    """Whether there is anything to join: a product with two pictures in the gallery, or more."""
    answers = sides_of(table, protocol).answers
    return bool(len(answers) > table["product"].gather(answers).n_unique())


def first_ranks(vectors: np.ndarray, table: pl.DataFrame, asked: Sides, how: How) -> np.ndarray:
    """The rank of the first right product of each query that has a twin, from 1. (Q,)"""
    shelf = _shelf(table, asked)
    score = _by_mean(vectors, shelf) if how == "mean" else _by_nearest(vectors, shelf)
    queries = asked.asks[asked.twins > 0]
    few = max(1, HELD // len(shelf.rows))
    blocks = (queries[start : start + few] for start in range(0, len(queries), few))
    return np.concatenate(list(_ranks(blocks, score, asked, shelf)))


def _shelf(table: pl.DataFrame, asked: Sides) -> Shelf:
    product = coded(table["product"].to_numpy())[asked.answers]
    order = np.argsort(product, kind="stable")
    _, starts, at = np.unique(product[order], return_index=True, return_inverse=True)
    return Shelf(rows=asked.answers[order], starts=starts, at=at)


Score = Callable[
    [np.ndarray, np.ndarray], np.ndarray
]  # queries (B,), who is compared (B, N) -> products' scores (B, P)


def _ranks(blocks: Iterator[np.ndarray], score: Score, asked: Sides, shelf: Shelf) -> Iterator[np.ndarray]:
    for queries in blocks:
        compared = asked.compared(queries, shelf.rows)
        alike = asked.alike(queries, shelf.rows) & compared
        there = shelf.by_product(np.logical_or, compared)
        scores = np.where(there, rounded(score(queries, compared)), -np.inf)
        right = np.where(shelf.by_product(np.logical_or, alike), scores, -np.inf)
        place = right.argmax(1)[:, None]  # of equal ones the first: ties by id
        top = np.take_along_axis(scores, place, 1)
        ahead = (scores > top) | ((scores == top) & (np.arange(len(shelf.starts)) < place))
        yield ahead.sum(1) + 1


def _by_nearest(vectors: np.ndarray, shelf: Shelf) -> Score:
    gallery = vectors[shelf.rows]

    def score(queries: np.ndarray, compared: np.ndarray) -> np.ndarray:
        return shelf.by_product(np.maximum, np.where(compared, vectors[queries] @ gallery.T, -np.inf))

    return score


def _by_mean(vectors: np.ndarray, shelf: Shelf) -> Score:
    """Only a few pictures are left out for a query: their products are joined anew for it, the others once for all."""
    gallery = vectors[shelf.rows].astype(np.float64)
    sums = np.add.reduceat(gallery, shelf.starts, axis=0)
    means = _unit(sums)

    def score(queries: np.ndarray, compared: np.ndarray) -> np.ndarray:
        seen = vectors[queries].astype(np.float64)
        scores: np.ndarray = seen @ means.T
        query, left_out = np.nonzero(~compared)
        changed, which = np.unique(np.stack([query, shelf.at[left_out]]), axis=1, return_inverse=True)
        others = sums[changed[1]]
        np.subtract.at(others, which.ravel(), gallery[left_out])
        scores[changed[0], changed[1]] = np.einsum("cd,cd->c", seen[changed[0]], _unit(others))
        return scores

    return score


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows (N, D) of length 1; those that cancel out stay without a direction, near to nobody."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = np.where(lengths > 1e-6, rows / np.maximum(lengths, 1e-6), 0)
    return unit
