"""Human judgements: of two pictures, people said which one is the more like a third. How often do vectors agree?

In: a file of triplets, and vectors with their table. Out: an `Agreement`. Never: scores a triplet whose pictures it lacks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lookalike.catalog.adapters import delimited, local
from lookalike.retrieval.search import refuse_unfit, rounded
from lookalike.retrieval.significance import interval
from lookalike.settings import DataError

COLUMNS: Final = ("head", "close", "far")
WHAT: Final = "a table of judgements with the columns head, close and far"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The share of judgements with which vectors agree, and its 95 % interval over heads, as `intervals` finds it."""

    value: float
    low: float
    high: float
    scored: int
    heads: int  # different ones among those scored
    ties: int  # both as near as the other: counted as no agreement
    unknown: int  # judgements that name a picture which the data set lacks: not scored

    def told(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        counts = {name: getattr(self, name) for name in ("scored", "heads", "ties", "unknown")}
        return {"value": self.value, "ci95": [self.low, self.high], **counts}


def read_judgements(path: Path) -> pl.DataFrame:
    """The triplets of a CSV file: head, close and far as text, and the line of each; other columns are passed over."""
    lines = local.lines(local.a_file(path, WHAT))
    first = next(lines, "")
    delimiter = delimited.delimiter_of(first)
    header = [cell.strip().lower() for cell in delimited.values_of(first, delimiter)]
    missing = [column for column in COLUMNS if header.count(column) != 1]
    if missing:
        raise DataError(
            f"{path}: line 1 should name each of head, close and far once; {', '.join(missing)} is missing or there twice "
            f"(it names {', '.join(header)[:200]!r}). Rename the columns."
        )
    places = [header.index(column) for column in COLUMNS]
    rows = list(_triplets(path, delimited.records(lines, delimiter, width=len(header)), places))
    if not rows:
        raise DataError(f"{path}: has a header and no judgements; add a row for each.")
    return pl.DataFrame(rows, schema={**dict.fromkeys(COLUMNS, pl.String), "line": pl.Int64}, orient="row")


def agreement(vectors: np.ndarray, table: pl.DataFrame, judgements: pl.DataFrame, *, seed: int = 0) -> Agreement:
    """How often the head is nearer to the close one than to the far one.

    A name is a picture's id, or else a product's: a product with several pictures is as near as its pictures are on average
    (the mean cosine over all pairs), so that none of them speaks for it by being first. A tie is no agreement: who cannot
    tell the two apart has not said what people said, and a collapsed network must not come out at a half.
    vectors (N, D) unit, in the order of table's rows.
    """
    refuse_unfit(vectors)
    names = sorted({name for column in COLUMNS for name in judgements[column]})
    known, means = _means(vectors, table, names)
    asked = np.stack([np.searchsorted(names, judgements[column].to_numpy()) for column in COLUMNS], axis=1)
    scored = known[asked].all(1)
    if not scored.any():
        raise DataError(_nobody(judgements, table))
    head, close, far = means[asked[scored]].transpose(1, 0, 2)
    near, distant = rounded((head * close).sum(1)), rounded((head * far).sum(1))
    agrees, heads = (near > distant).astype(float), asked[scored, 0]
    low, high = interval(agrees, heads, seed=seed)
    return Agreement(
        value=float(agrees.mean()),
        low=low,
        high=high,
        scored=len(agrees),
        heads=len(np.unique(heads)),
        ties=int((near == distant).sum()),
        unknown=int((~scored).sum()),
    )


def _triplets(
    path: Path, records: Iterator[delimited.Record], places: list[int]
) -> Iterator[tuple[str, str, str, int]]:
    """Head, close, far and line of each record; a DataError at the first that is none."""
    for line, values, wrong in records:
        if wrong:
            raise DataError(f"{path}, line {line}: {wrong}.")
        if not all(map(local.legible, values)):
            raise DataError(f"{path}, line {line}: holds bytes that are not of its encoding; save it as UTF-8.")
        head, close, far = (values[place].strip() for place in places)
        if not (head and close and far):
            raise DataError(
                f"{path}, line {line}: head {head!r}, close {close!r}, far {far!r}: one is empty; name all, or drop the row."
            )
        if len({head, close, far}) < len(COLUMNS):
            raise DataError(
                f"{path}, line {line}: head {head!r}, close {close!r}, far {far!r}: two are the same, so there is nothing to "
                "judge; name three, or drop the row."
            )
        yield head, close, far, line


def _means(vectors: np.ndarray, table: pl.DataFrame, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which names are known, and the mean of the vectors that each means: the dot of two means is the mean of all dots.

    names M, sorted -> (M,) bool, (M, D) float64, zero where not known.
    """
    rows = table.select("image", "product").with_row_index("row")
    products = rows.select("row", name="product").filter(~pl.col("name").is_in(rows["image"].implode()))
    meant = pl.concat([rows.select("row", name="image"), products])
    numbered = pl.DataFrame({"name": names}, schema={"name": pl.String}).with_row_index("number")
    found = meant.join(numbered, on="name").sort("number", "row")
    sums, counts = np.zeros((len(names), vectors.shape[1])), np.bincount(found["number"], minlength=len(names))
    np.add.at(sums, found["number"].to_numpy(), vectors[found["row"].to_numpy()])
    return counts > 0, sums / np.maximum(counts, 1)[:, None]


def _nobody(judgements: pl.DataFrame, table: pl.DataFrame) -> str:
    head, close, far = judgements.select(COLUMNS).row(0)
    return (
        f"none of {len(judgements)} judgements names three pictures of this data set; the first names {head!r}, {close!r} and "
        f"{far!r}, the data set has pictures such as {table['image'][0]!r} and products such as {table['product'][0]!r}. "
        "Name image ids or product ids, and measure with split=all"
    )
