"""What `train` and `evaluate` share: a data set's pictures to vectors to an evaluation, and to the pictures of it.

In: settings and ready-made parts. Out: values. Never: prints anything but a progress bar.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from lookalike import build
from lookalike.catalog.versions import DataSet
from lookalike.cli import places, show
from lookalike.data.cache import decoded
from lookalike.data.features import cached_features
from lookalike.models.embedder import Embed, Embedder, as_callable, embed_all, features_digest, features_of, finished_of
from lookalike.models.preprocessing import Preprocessing
from lookalike.reporting.neighbours import neighbours
from lookalike.retrieval.evaluation import Evaluation, Figure, map_at_r
from lookalike.retrieval.fusion import joined
from lookalike.retrieval.products import HOWS, by_product, several_views
from lookalike.retrieval.protocol import Protocol, matched, protocol_for
from lookalike.settings import DataError, Measure, Paths

Score = Callable[[np.ndarray], float]  # unit vectors (N, D) of a split's pictures -> what is to be made large
TIMED: Final = 32  # pictures at most: what one costs is soon known
TIMES: Final = 3
WARM: Final = 8  # embedded before the clock starts, as the first pay for what is made but once


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


def squares(table: pl.DataFrame, wanted: Preprocessing, paths: Paths) -> np.ndarray:
    """The pictures of a table (N, S, S, 3) uint8, memory-mapped."""
    with show.progress("decoding", len(table)) as moved:
        return decoded(
            places.cache(paths),
            places.pictures(paths),
            table["sha256"].to_list(),
            size=wanted.size,
            resize=wanted.resize,
            interpolation=wanted.interpolation,
            mask=wanted.mask,
            progress=moved,
        )


def vectors(embed: Embed, table: pl.DataFrame, wanted: Preprocessing, paths: Paths) -> np.ndarray:
    """The unit vectors of a table's pictures (N, D)."""
    seen = squares(table, wanted, paths)
    with show.progress("embedding", len(table)) as moved:
        return embed_all(embed, seen, progress=moved)


def shapes(embedder: Embedder, table: pl.DataFrame, paths: Paths, *, keep: bool) -> np.ndarray:
    """The unit vectors that a network gives a table's pictures (N, D). keep: its backbone's features are known, or to be kept."""
    if keep:
        return embed_all(finished_of(embedder), features(embedder, table, paths))
    return vectors(as_callable(embedder), table, embedder.preprocessing, paths)


def features(embedder: Embedder, table: pl.DataFrame, paths: Paths, *, keep: bool = True) -> np.ndarray:
    """What the backbone says of a table's pictures (N, W); computed once for a network and a picture, then kept.

    keep: not for weights that a training has just made, and that will never be asked again.
    """
    seen, look = squares(table, embedder.preprocessing, paths), features_of(embedder)
    with show.progress("features", len(table)) as moved:
        if not keep:
            return embed_all(look, seen, progress=moved)
        return cached_features(
            places.features(paths),
            features_digest(embedder),
            table["sha256"].to_list(),
            lambda rows: look(seen[rows]),
            progress=moved,
        )


def score_of(table: pl.DataFrame, protocol: Protocol, wanted: Preprocessing, paths: Paths) -> Score:
    """MAP@R of shape vectors, what val chooses by; where color weighs, the pictures' color vectors stand beside them."""
    weight = protocol.color_weight
    if not weight:
        return lambda shape: map_at_r(shape, table, protocol)
    color = vectors(build.color(), table, wanted, paths)
    return lambda shape: map_at_r(joined(shape, color, weight), table, protocol)


def neighbours_of(measured: Evaluation, table: pl.DataFrame, wanted: Preprocessing, paths: Paths) -> bytes:
    """A PNG of the best, the worst and some random queries with their nearest."""
    return neighbours(measured.table, picture_of(table, wanted, paths), twins_of(table, measured.protocol.match))


def picture_of(table: pl.DataFrame, wanted: Preprocessing, paths: Paths) -> Callable[[str], np.ndarray]:
    """Image id -> its square."""
    seen = squares(table, wanted, paths)
    row_of = {image: row for row, image in enumerate(table["image"])}
    return lambda image: np.asarray(seen[row_of[image]])


def twins_of(table: pl.DataFrame, match: str) -> Callable[[str, str], bool]:
    """Whether two image ids are twins."""
    label_of = dict(zip(table["image"], matched(table, match), strict=True))
    return lambda one, other: label_of[one] == label_of[other]


def protocol_of(settings: Measure, dataset: DataSet, split: str) -> Protocol:
    """The protocol that settings ask for on a data set; until val has chosen a weight of color, the shape stands alone."""
    return protocol_for(
        settings.match,
        query_view=settings.query_view or "",
        gallery_view=settings.gallery_view or "",
        color_weight=0.0 if settings.color_weight == "val" else settings.color_weight or 0.0,
        split=split,
        split_rule=dataset.manifest["split"]["rule"],
        search=build.search_in_words(settings.search),
    )


def cost_of(embed: Embed, seen: np.ndarray, embedder: Embedder | None, found: np.ndarray) -> dict[str, float]:
    """What one picture costs to embed and to keep. seen (N, S, S, 3), its vectors found (N, D); embedder: None has no weights.

    Decoding is not the embedder's, and is left out. The quickest of a few times counts: the others waited for something else.
    """
    few = np.array(seen[:TIMED])
    embed_all(embed, few[:WARM])
    seconds = min(_timed(embed, few) for _ in range(TIMES))
    weights = embedder.state_dict().values() if embedder is not None else ()
    return {
        "milliseconds_per_image": 1000 * seconds / len(few),
        "megabytes": sum(one.nbytes for one in weights) / 1e6,
        "dimensions": found.shape[1],
    }


def _timed(embed: Embed, few: np.ndarray) -> float:
    began = time.perf_counter()
    embed_all(embed, few)
    return time.perf_counter() - began


def products_of(
    found: np.ndarray, table: pl.DataFrame, protocol: Protocol, *, seed: int = 0
) -> dict[str, dict[str, Figure]]:
    """What is found where the views of a product answer as one, by the way of joining them. found (N, D) unit vectors.

    {} where no product has two views to join, and where a search other than the exact one put pictures in its own order.
    """
    if protocol.search != "exact" or not several_views(table, protocol):
        return {}
    return {how: by_product(found, table, protocol, how, seed=seed) for how in HOWS}


def products_told(products: Mapping[str, Mapping[str, Figure]]) -> dict[str, Any]:
    """As metrics.json holds them; {} for none."""
    told = {how: {name: one.told() for name, one in figures.items()} for how, figures in products.items()}
    return {"products": told} if told else {}
