"""The color dial: how a search fares from shape alone to color alone, and which turn of it val likes best.

In: a shape and a color vector of each picture, apart, and protocols. Out: a `Turn` a weight, or the best weight.
Never: makes a vector, or settles who asks whom more than once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from lookalike.retrieval.evaluation import Figure, check
from lookalike.retrieval.figures import figure
from lookalike.retrieval.fusion import joined
from lookalike.retrieval.protocol import Protocol
from lookalike.retrieval.ranking import Sides, rank, sides_of
from lookalike.retrieval.search import refuse_unfit
from lookalike.settings import DataError

WEIGHTS = tuple(step / 20 for step in range(21))  # of color: 0 is shape alone, 1 is color alone
CHOSEN_BY = "map@r"  # it sees where every twin is found: recall@1 has many equal turns


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One position of the dial: what each protocol finds there."""

    weight: float
    figures: dict[str, Figure]  # by the protocol's name


def best(
    shape: np.ndarray,
    color: np.ndarray,
    table: pl.DataFrame,
    protocol: Protocol,
    weights: Sequence[float] = WEIGHTS,
) -> tuple[float, dict[float, float]]:
    """The weight of color with the highest map@r, the lowest of equal ones, and the map@r of each.

    shape (N, D), color (N, C): unit, in the order of table's rows. The protocol's own color weight is passed over.
    """
    asked = _asked(shape, color, table, protocol)
    scores = {weight: float(_values(shape, color, weight, asked, CHOSEN_BY).mean()) for weight in weights}
    return max(scores, key=lambda weight: (scores[weight], -weight)), scores


def dial(
    shape: np.ndarray,
    color: np.ndarray,
    table: pl.DataFrame,
    protocols: Mapping[str, Protocol],
    *,
    weights: Sequence[float] = WEIGHTS,
    metric: str = "recall@1",
    seed: int = 0,
) -> tuple[Turn, ...]:
    """A metric of each protocol at each weight, with its interval. Vectors as in `best`.

    All turns draw the same clusters, so the band about the curve tells of the queries, not of the draws.
    """
    asked = {name: _asked(shape, color, table, protocol) for name, protocol in protocols.items()}
    clusters = {name: clusters_of(table, asked[name], protocol) for name, protocol in protocols.items()}

    def turn(weight: float) -> Turn:
        found = {name: _values(shape, color, weight, sides, metric) for name, sides in asked.items()}
        figures = {name: figure(values, clusters[name], seed=seed) for name, values in found.items()}
        return Turn(weight=weight, figures=figures)

    return tuple(turn(weight) for weight in weights)


def clusters_of(table: pl.DataFrame, asked: Sides, protocol: Protocol) -> np.ndarray:
    """What each scored query is drawn with by the bootstrap, as whole numbers (Q,)."""
    scored = table[protocol.cluster].to_numpy()[asked.asks[asked.twins > 0]]
    numbers: np.ndarray = np.unique(scored, return_inverse=True)[1]
    return numbers


def _asked(shape: np.ndarray, color: np.ndarray, table: pl.DataFrame, protocol: Protocol) -> Sides:
    """Who asks whom; a DataError where a vector is unfit, or nobody has a twin."""
    if not len(shape) == len(color) == len(table):
        raise DataError(
            f"the color dial was given {len(shape)} shape vectors and {len(color)} color vectors for {len(table)} pictures; "
            "give one of each for every picture, in the table's order"
        )
    refuse_unfit(shape)
    refuse_unfit(color)
    check(table, protocol)
    return sides_of(table, protocol)


def _values(shape: np.ndarray, color: np.ndarray, weight: float, asked: Sides, metric: str) -> np.ndarray:
    """A metric of each scored query at one turn (Q,)."""
    return rank(joined(shape, color, weight), asked).metrics[metric]
