"""A network that has learnt, measured on a split, and what it costs.

In: a training's parts, settled settings. Out: its vectors, an evaluation, costs. Never: learns, or chooses.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from lookalike import build
from lookalike.catalog.versions import DataSet
from lookalike.cli.learning import Parts, Tables
from lookalike.cli.measuring import cost_of, protocol_of, shapes, squares, vectors
from lookalike.models.embedder import as_callable, fused
from lookalike.retrieval.evaluation import Evaluation, evaluate
from lookalike.retrieval.fusion import joined
from lookalike.settings import Train


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What a split showed."""

    found: np.ndarray  # (N, D) unit, color beside shape where it weighs
    evaluation: Evaluation


def tested(settings: Train, dataset: DataSet, tables: Tables, ready: Parts, split: str) -> Tested:
    """Measure one split. The weight of color is a number by now."""
    protocol, table = protocol_of(settings, dataset, split), tables[split]
    found = shapes(ready.embedder, table, settings.paths, keep=ready.learner.frozen)
    if protocol.color_weight:
        color = vectors(build.color(), table, ready.embedder.preprocessing, settings.paths)
        found = joined(found, color, protocol.color_weight)
    return Tested(found=found, evaluation=evaluate(found, table, protocol, search=build.search(settings.search)))


def cost_of_test(settings: Train, test: Tested, table: pl.DataFrame, ready: Parts) -> dict[str, float]:
    """What a picture and a query of the finished network cost."""
    embedder, evaluation = ready.embedder, test.evaluation
    embed = fused(as_callable(embedder), build.color(), evaluation.protocol.color_weight)
    seen = squares(table, embedder.preprocessing, settings.paths)
    each = 1000 * evaluation.seconds / evaluation.queries
    return {**cost_of(embed, seen, embedder, test.found), "milliseconds_per_query": each}
