"""A table's queries, cut into slices: by what a column says, or by what their products cost.

In: one row a query. Out: a label each, and which labels are worth a figure. Never: computes one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from lookalike.settings import DataError

PRICE = "price"
SLICES = ("category", "brand", "color", "view", PRICE)
BANDS = 4  # of prices, each with about as many queries
MOST = 12  # slices of one column
LEAST = 10  # queries of a slice, where there are more than that


@dataclass(frozen=True, kw_only=True)
class Slices:
    """What one column cuts the queries into, and what is in no slice."""

    labels: np.ndarray  # (Q,) of every query; "" where it tells none
    kept: list[str]  # the labels worth a figure, in order
    left_out: dict[str, int]  # values, their queries, and queries that tell none


def sliced(table: pl.DataFrame, column: str, clusters: np.ndarray) -> Slices:
    """Cut by a column: most queries first, prices from low to high. clusters (Q,) are what an interval draws from.

    Of more than MOST values only those with LEAST queries are kept, and of these the MOST largest. A value that one cluster
    alone has (a brand's one boot) is left out too: with nothing else to draw in its place, it has no interval.
    """
    labels, ordered = _price_bands(table) if column == PRICE else _values(table[column])
    queries, among = _counted(labels, clusters)
    kept = [label for label in ordered if among[label] > 1]
    if len(kept) > MOST:
        kept = [label for label in kept if queries[label] >= LEAST][:MOST]
    left_out = {
        "values": len(ordered) - len(kept),
        "queries": sum(queries[label] for label in ordered) - sum(queries[label] for label in kept),
        "untold": queries.get("", 0),
    }
    return Slices(labels=labels, kept=kept, left_out=left_out)


def present(table: pl.DataFrame, asked: Sequence[str]) -> list[str]:
    """The columns asked for that the table has. Only those of SLICES may be missing: the others somebody named."""
    missing = [column for column in asked if column not in {*table.columns, *SLICES}]
    if missing:
        raise DataError(
            f"slices={', '.join(missing)}: this data set has no such column; there are {', '.join(sorted(table.columns))}"
        )
    return [column for column in asked if column in table.columns]


def _counted(labels: np.ndarray, clusters: np.ndarray) -> tuple[dict[str, int], dict[str, int]]:
    """How many queries and how many clusters have each label."""
    frame = pl.DataFrame({"label": pl.Series(labels, dtype=pl.String), "cluster": clusters})
    counted = frame.group_by("label").agg(pl.len().alias("queries"), pl.col("cluster").n_unique())
    return dict(counted.select("label", "queries").iter_rows()), dict(counted.select("label", "cluster").iter_rows())


def _values(column: pl.Series) -> tuple[np.ndarray, list[str]]:
    """What each query is called by a column, and these names, most queries first."""
    labels = column.cast(pl.String).fill_null("").to_numpy()
    names, counts = np.unique(labels, return_counts=True)
    return labels, [str(names[at]) for at in np.lexsort((names, -counts)) if names[at]]


def _price_bands(table: pl.DataFrame) -> tuple[np.ndarray, list[str]]:
    """The band of each query's price among those of its currency, and the bands, low to high, most used currency first."""
    prices = table[PRICE].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    told = table["currency"] if "currency" in table.columns else pl.Series([""] * len(table))
    currencies, priced = told.cast(pl.String).fill_null("").to_numpy(), np.isfinite(prices)
    used = Counter(currencies[priced])
    labels, ordered = np.full(len(table), "", object), []
    for currency in sorted(used, key=lambda one: (-used[one], one)):
        of = priced & (currencies == currency)
        names, band = _bands(prices[of], currency)
        labels[of] = np.array(names, object)[band]
        ordered += names
    return labels, ordered


def _bands(prices: np.ndarray, currency: str) -> tuple[list[str], np.ndarray]:
    """Bands in words, and which of them each price is in. An upper end belongs to its band; ends are prices that are there."""
    edges = np.unique(np.quantile(prices, np.arange(1, BANDS) / BANDS, method="inverted_cdf"))
    edges = edges[edges < prices.max()]
    ends = [_amount(edge) for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    names = [f"up to {ends[0]}", *between, f"over {ends[-1]}"] if ends else [f"up to {_amount(prices.max())}"]
    return [f"{name} {currency}".strip() for name in names], np.searchsorted(edges, prices)


def _amount(price: float) -> str:
    return f"{price:.2f}".removesuffix(".00")
