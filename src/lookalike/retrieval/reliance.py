"""Color reliance: how far pictures move, and how much recall falls, when nothing but their colors is changed.

In: the vectors of pictures as they are, and of the same pictures in other colors. Out: a `Reliance` a change.
Never: changes a picture; the gallery stays as it was, since a shop's pictures do not change with a shopper's lamp.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lookalike.retrieval.dial import clusters_of
from lookalike.retrieval.evaluation import Figure, check
from lookalike.retrieval.figures import figure
from lookalike.retrieval.protocol import Protocol
from lookalike.retrieval.ranking import Sides, rank, sides_of
from lookalike.retrieval.search import refuse_unfit
from lookalike.settings import DataError


@dataclass(frozen=True, kw_only=True)
class Reliance:
    """What one change of color does to a search."""

    change: str
    cosine: Figure  # of a picture before with itself after; 1 is unmoved
    recall: Figure  # of changed queries against the untouched gallery
    fall: Figure  # that, less the recall of the same queries untouched; below 0 color is relied upon


def moved(before: np.ndarray, after: np.ndarray, clusters: np.ndarray | None = None, *, seed: int = 0) -> Figure:
    """The mean cosine of each picture with itself after a change. before, after (N, D) unit, clusters (N,) or each its own."""
    _refuse_unequal(before, after)
    cosines = np.einsum("nd,nd->n", before, after)
    return figure(cosines, np.arange(len(cosines)) if clusters is None else clusters, shares=False, seed=seed)


def reliance(
    before: np.ndarray,
    after: Mapping[str, np.ndarray],
    table: pl.DataFrame,
    protocol: Protocol,
    *,
    metric: str = "recall@1",
    seed: int = 0,
) -> tuple[Reliance, ...]:
    """What each change does. before and each of after (N, D): unit, in the order of table's rows."""
    refuse_unfit(before)
    check(table, protocol)
    asked = sides_of(table, protocol)
    clusters = clusters_of(table, asked, protocol)
    untouched = rank(before, asked).metrics[metric]
    found = []
    for change, vectors in after.items():
        values = _of_changed(before, vectors, asked, metric)
        found.append(
            Reliance(
                change=change,
                cosine=moved(before, vectors, table[protocol.cluster].to_numpy(), seed=seed),
                recall=figure(values, clusters, seed=seed),
                fall=figure(values - untouched, clusters, shares=False, seed=seed),
            )
        )
    return tuple(found)


def _of_changed(before: np.ndarray, after: np.ndarray, asked: Sides, metric: str) -> np.ndarray:
    """A metric of each scored query, its own vector changed, the gallery's not (Q,).

    Changed pictures stand below the others and ask in their stead. They keep the codes of who is nobody's twin and who is
    not compared, so a changed picture does not find itself unchanged.
    """
    _refuse_unequal(before, after)
    refuse_unfit(after)
    changed = replace(
        asked,
        asks=asked.asks + len(before),
        match=np.concatenate([asked.match, asked.match]),
        apart=np.concatenate([asked.apart, asked.apart]),
    )
    return rank(np.concatenate([before, after]), changed).metrics[metric]


def _refuse_unequal(before: np.ndarray, after: np.ndarray) -> None:
    if before.shape != after.shape:
        raise DataError(
            f"pictures have vectors of the shape {before.shape} before their colors were changed and {after.shape} after; "
            "embed the same pictures with the same embedder"
        )
