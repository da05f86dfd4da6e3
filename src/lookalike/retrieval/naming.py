"""Naming by neighbours: what a column (a brand) would be called by those that look alike.

In: vectors, a table, the column and a protocol. Out: a `Naming`: how often that is right, beside what always saying the most
frequent name would give. Never: learns a class, or lets a picture that the protocol leaves out vote.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from lookalike.retrieval.dial import clusters_of
from lookalike.retrieval.evaluation import Figure, check
from lookalike.retrieval.figures import figure
from lookalike.retrieval.protocol import Protocol, matched
from lookalike.retrieval.ranking import Sides, sides_of
from lookalike.retrieval.search import DECIMALS, NOBODY, exact, refuse_unfit, rounded
from lookalike.settings import ConfigError

MOST = 12  # names of the confusion
HELD = 2_000_000  # pairs of voters held at a time


@dataclass(frozen=True, kw_only=True)
class Naming:
    """How well neighbours name. A query whose name nobody else in the gallery bears is counted, never scored."""

    column: str
    k: int
    accuracy: Figure
    most_frequent: str  # name of the gallery...
    majority: Figure  # ...and the accuracy of saying it always
    unknown: int  # queries whose name nobody else bears
    names: tuple[str, ...]  # the most frequent among the queries, most queries first
    confusion: (
        np.ndarray
    )  # (names, names + 1): queries of a name, by what they were called; the last: by any other name
    table: pl.DataFrame  # one row a scored query: image, its name, what it was called, the share of the votes for that

    def told(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        return {
            "column": self.column,
            "k": self.k,
            "accuracy": self.accuracy.told(),
            "majority": {"name": self.most_frequent, **self.majority.told()},
            "unknown": self.unknown,
            "confusion": {"names": list(self.names), "counts": self.confusion.tolist()},
        }


def named(
    vectors: np.ndarray,
    table: pl.DataFrame,
    column: str,
    protocol: Protocol,
    *,
    k: int = 5,
    seed: int = 0,
) -> Naming:
    """Name each query by its k nearest, each voting with its cosine (one below zero not at all); a tie goes to the nearest.

    The protocol says who asks, who answers and who is left out; pictures that the column says nothing of do neither.
    vectors (N, D) unit, in the order of table's rows.
    """
    if k < 1:
        raise ConfigError(f"k={k}: nobody would vote; give 1 or more")
    refuse_unfit(vectors)
    told = matched(table, column) != ""
    vectors, table, protocol = vectors[told], table.filter(told), replace(protocol, match=column)
    check(table, protocol)
    asked = sides_of(table, protocol)
    names = matched(table, column)
    queries = asked.asks[asked.twins > 0]
    place, share = _called(vectors, asked, queries, k)
    true, called = names[queries], names[place]
    clusters = clusters_of(table, asked, protocol)
    most_frequent = _by_count(names[asked.answers])[0]
    common = _by_count(true)[:MOST]
    return Naming(
        column=column,
        k=k,
        accuracy=figure(true == called, clusters, seed=seed),
        most_frequent=most_frequent,
        majority=figure(true == most_frequent, clusters, seed=seed),
        unknown=len(asked.asks) - len(queries),
        names=common,
        confusion=_confusion(true, called, common),
        table=pl.DataFrame(
            {"image": table["image"].gather(queries), "name": true, "called": called, "share": share},
            schema_overrides={"name": pl.String, "called": pl.String},
        ),
    )


def _called(vectors: np.ndarray, asked: Sides, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each query a picture that bears the name it is called by, and the share of the votes for that name. (Q,), (Q,)"""
    ask = exact(np.ascontiguousarray(vectors[asked.answers], np.float32), asked.apart[asked.answers])
    few = max(1, HELD // k**2)
    places, shares = [], []
    for start in range(0, len(queries), few):
        some = queries[start : start + few]
        found = ask(np.ascontiguousarray(vectors[some], np.float32), asked.apart[some], k)
        votes = np.where(found.rows == NOBODY, 0, found.scores).clip(min=0)
        voters = asked.answers[found.rows]  # nobody is some picture without a vote
        alike = asked.match[voters][:, :, None] == asked.match[voters][:, None]
        totals = rounded((votes[:, None] * alike).sum(2))  # (B, k): the votes for each voter's own name
        chosen = totals.argmax(1)[:, None]  # of equal ones the first: the nearest voter's
        places.append(np.take_along_axis(voters, chosen, 1)[:, 0])
        shares.append(np.take_along_axis(totals, chosen, 1)[:, 0] / np.maximum(votes.sum(1), 10**-DECIMALS))
    return np.concatenate(places), np.concatenate(shares)


def _by_count(names: np.ndarray) -> tuple[str, ...]:
    """Names, the most frequent first, equally frequent ones by name."""
    found, counts = np.unique(names, return_counts=True)
    return tuple(str(found[at]) for at in np.lexsort((found, -counts)))


def _confusion(true: np.ndarray, called: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    others = len(names)
    number = {name: at for at, name in enumerate(names)}
    counts = np.zeros((others + 1, others + 1), np.int64)
    np.add.at(counts, ([number.get(one, others) for one in true], [number.get(one, others) for one in called]), 1)
    return counts[:others]
