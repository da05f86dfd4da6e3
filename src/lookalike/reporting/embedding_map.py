"""The embedding on a plane: who lies beside whom.

In: unit vectors and a table with a row a picture. Out: a `Map`: places between 0 and 1, and what they may be colored by.
Never: searches, or says that distances on the plane are distances: a map keeps who is near whom, as well as it can.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

from lookalike.reporting.tints import CODES, named

MOST: Final = 3000  # points: more are neither seen nor quick
WIDE: Final = 50  # dimensions that are kept for the search of neighbours
PERPLEXITY: Final = 20.0
FEWEST: Final = 8  # fewer points are laid out by PCA alone
NEIGHBOURS: Final = 5  # by which the map is judged, as many as a page of results shows
KINDS: Final = 10  # colors of one legend that an eye tells apart
OTHER: Final = ("#8d939c", "")  # what has no color of its own
TAKEN: Final = {
    "sha256",
    "source",
    "group",
    "currency",
    "image",
    "product",
    "name",
    "price",
    "url",
    "role",
    "split",
    "format",
    "width",
    "height",
    "size",
}
# told apart also by people who see few colors: Okabe and Ito's, and two of Tol's
TINTS: Final = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"),
    *("#56b4e9", "#b8a800", "#882255", "#44aa99", "#aa4499"),
)
FOUND: Final = {"found first": "#0072b2", "missed": "#d55e00", "not scored": OTHER[0]}


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Where pictures lie. rows (M,) of what was given, places (M, 2) between 0 and 1."""

    rows: NDArray[np.intp]
    places: NDArray[np.float64]
    kept: float | None  # trustworthiness: 1 where all neighbours on the plane are neighbours; None of too few points


@dataclass(frozen=True, kw_only=True)
class Coloring:
    """One way to color the map: a legend (name, color, points), and which entry each point has."""

    column: str
    legend: tuple[tuple[str, str, int], ...]
    entry: tuple[int, ...]


def plane(vectors: np.ndarray, *, seed: int = 0, most: int = MOST) -> Plane:
    """Lay unit vectors (N, D) out: t-SNE of their main components, begun at the first two; above `most` a random part."""
    rows = np.arange(len(vectors))
    if len(vectors) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(vectors), most, replace=False))
    some = np.asarray(vectors[rows], np.float64)
    kept = _main(some, WIDE, seed)
    if len(some) < FEWEST or not kept.any():
        return Plane(rows=rows, places=_framed(kept[:, :2]), kept=None)
    perplexity = min(PERPLEXITY, (len(some) - 1) / 3)
    places = TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(kept.astype(np.float32))
    near = min(NEIGHBOURS, len(some) // 2 - 1)
    return Plane(rows=rows, places=_framed(places), kept=float(trustworthiness(some, places, n_neighbors=near)))


def _main(vectors: np.ndarray, wide: int, seed: int) -> np.ndarray:
    """The main components (N, at most wide); zeros where there is nothing to tell apart."""
    count = min(wide, *vectors.shape)
    found = np.zeros((len(vectors), max(2, count)))
    if len(vectors) > 1 and np.ptp(vectors, axis=0).any():
        found[:, :count] = PCA(count, random_state=seed).fit_transform(vectors)
    return found


def _framed(places: np.ndarray) -> NDArray[np.float64]:
    """Places moved and scaled, both axes alike, into a square from 0 to 1; four decimals are a hundredth of a pixel."""
    places = np.asarray(places, np.float64)
    if not len(places):
        return places.reshape(0, 2)
    low, high = places.min(0), places.max(0)
    wide = float((high - low).max()) or 1.0
    return np.asarray(np.round((places - (low + high) / 2) / wide + 0.5, 4))


def colorings(table: pl.DataFrame, found: Mapping[str, bool]) -> tuple[Coloring, ...]:
    """The ways to color the map; at the front, whether a query was found first. found: image -> whether, of those scored."""
    told = ["not scored" if one not in found else "found first" if found[one] else "missed" for one in table["image"]]
    first = _coloring("recall@1", told, {name: color for name, color in FOUND.items() if name in told})
    columns = [name for name in ("category", "brand", "color", "view", "style") if name in table.columns]
    attributes = [name for name in table.columns if name not in {*columns, *TAKEN} and table[name].dtype == pl.String]
    several = [name for name in (*columns, *attributes) if name in table.columns and _some_kinds(table[name])]
    return first, *(_of_column(name, table[name]) for name in several)


def _some_kinds(column: pl.Series) -> bool:
    """Whether a legend says something: not one kind alone, and not as many as there are pictures."""
    kinds = column.drop_nulls().filter(column.drop_nulls() != "")
    return 2 <= kinds.n_unique() <= max(2, len(kinds) // 3)


def _of_column(name: str, column: pl.Series) -> Coloring:
    """The most frequent values have a color each, a color's own where it is known; the others share one."""
    values = column.fill_null("").to_list()
    counts = {value: count for value, count in column.fill_null("").value_counts().iter_rows() if value}
    most = sorted(counts, key=lambda value: (-counts[value], value))[:KINDS]
    colors = {value: _tint(name, value, place) for place, value in enumerate(most)}
    if any(value not in colors for value in values):
        colors["other"] = OTHER[0]
    return _coloring(name, [value if value in colors else "other" for value in values], colors)


def _tint(name: str, value: str, place: int) -> str:
    words = named(value) if name == "color" else ()
    return CODES[words[0]] if words else TINTS[place % len(TINTS)]


def _coloring(column: str, values: Sequence[str], colors: Mapping[str, str]) -> Coloring:
    places = {name: place for place, name in enumerate(colors)}
    legend = tuple((name, color, values.count(name)) for name, color in colors.items())
    return Coloring(column=column, legend=legend, entry=tuple(places[value] for value in values))


def points(table: pl.DataFrame, places: NDArray[np.float64]) -> list[dict[str, Any]]:
    """What a page says of each point. table: a row a point, places (M, 2)."""
    told = [name for name in ("product", "style", "brand", "category", "color", "view") if name in table.columns]
    return [
        {"x": float(x), "y": float(y), "image": row["image"], "told": [[one, row[one]] for one in told if row[one]]}
        for row, (x, y) in zip(table.iter_rows(named=True), places, strict=True)
    ]


def radius(count: int) -> float:
    """Of a point on a plane of side 1: smaller where there are many."""
    return round(min(0.012, 0.16 / math.sqrt(max(1, count))), 4)
