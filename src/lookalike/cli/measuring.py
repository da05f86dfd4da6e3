"""What `train` and `evaluate` share: a data set's pictures to vectors to an evaluation, and to the pictures of it.

In: settings and ready-made parts. Out: values. Never: prints anything but a progress bar.
"""

from typing import Any

import numpy as np
import polars as pl

from lookalike.catalog.versions import DataSet
from lookalike.cli import places, show
from lookalike.data.cache import decoded
from lookalike.models.embedder import Embedder, as_callable, embed_all
from lookalike.reporting.neighbours import neighbours
from lookalike.retrieval.evaluation import Evaluation, evaluate
from lookalike.retrieval.protocol import Protocol, matched, protocol_for
from lookalike.settings import DataError, Measure, Paths, Pixels


def pictures(dataset: DataSet, split: str) -> pl.DataFrame:
    """A split's table, one row a picture; an empty one is an error that says which there are."""
    table = dataset.pictures(split)
    if len(table):
        return table
    counts = dataset.manifest["counts"]["pictures_by_split"]
    there = ", ".join(f"{name or 'none'} ({count})" for name, count in counts.items())
    raise DataError(
        f"data set {dataset.label} has no picture in split {split!r}; it has: {there}. "
        "Measure with split=all, or import it again with split=auto"
    )


def squares(table: pl.DataFrame, pixels: Pixels, paths: Paths) -> np.ndarray:
    """The pictures of a table (N, S, S, 3) uint8, memory-mapped."""
    with show.progress("decoding", len(table)) as moved:
        return decoded(
            places.cache(paths),
            places.pictures(paths),
            table["sha256"].to_list(),
            size=pixels.size,
            resize=pixels.resize,
            progress=moved,
        )


def measure(
    embedder: Embedder, table: pl.DataFrame, pixels: Pixels, paths: Paths, protocol: Protocol, *, seed: int
) -> Evaluation:
    """Embed a table's pictures and score them."""
    seen = squares(table, pixels, paths)
    with show.progress("embedding", len(table)) as moved:
        vectors = embed_all(as_callable(embedder), seen, progress=moved)
    return evaluate(vectors, table, protocol, seed=seed)


def neighbours_of(measured: Evaluation, table: pl.DataFrame, pixels: Pixels, paths: Paths) -> bytes:
    """A PNG of the best, the worst and some random queries with their nearest."""
    seen = squares(table, pixels, paths)
    row_of = {image: row for row, image in enumerate(table["image"])}
    label_of = dict(zip(table["image"], matched(table, measured.protocol.match), strict=True))
    return neighbours(
        measured.table,
        lambda image: np.asarray(seen[row_of[image]]),
        lambda one, other: label_of[one] == label_of[other],
    )


def protocol_of(settings: Measure, dataset: DataSet, split: str) -> Protocol:
    """The protocol that settings ask for on a data set."""
    return protocol_for(
        settings.match,
        query_view=settings.query_view,
        gallery_view=settings.gallery_view,
        split=split,
        split_rule=dataset.manifest["split"]["rule"],
    )


def told(measured: Evaluation) -> dict[str, Any]:
    """An evaluation as metrics.json holds it."""
    counts = {"queries": measured.queries, "no_twin": measured.no_twin, "gallery": measured.gallery}
    return {
        "protocol": measured.protocol.told(),
        measured.protocol.split: {name: figure.told() for name, figure in measured.figures.items()} | counts,
        "slices": {
            column: {value: {name: one.told() for name, one in figures.items()} for value, figures in values.items()}
            for column, values in measured.slices.items()
        },
    }
