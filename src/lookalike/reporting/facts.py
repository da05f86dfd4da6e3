"""What is known of the pictures that ask and answer, before a miss is given a cause. Pure.

In: a data set, the rows of the split, their squares and vectors. Out: `Facts`. Never: decodes, embeds, or settles a cause.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from lookalike.catalog import suspects
from lookalike.catalog.nearness import near_duplicates, shows_nothing
from lookalike.catalog.versions import DataSet
from lookalike.reporting.failures import Facts, Pairs
from lookalike.reporting.picture_quality import poor
from lookalike.retrieval.protocol import Protocol, matched
from lookalike.retrieval.ranking import sides_of

COLORS: Final = "pictures of another color"  # an audit names two pictures, and either may be the wrong one
DOUBTS: Final = {COLORS, "one name, two products", suspects.TWO_LABELS}  # that mislead a search


def facts_of(
    dataset: DataSet,
    table: pl.DataFrame,
    protocol: Protocol,
    squares: np.ndarray,
    vectors: np.ndarray,
    *,
    seen_at: int,
) -> Facts:
    """The facts of a split. table: a row a picture, squares (N, S, S, 3) and vectors (N, D) in its order.

    seen_at: the side of the network's square.
    """
    prints = table["fingerprint"].to_list()
    sides = [max(pair) for pair in table.select("width", "height").iter_rows()]
    known = table.select("image", "product", "style", "brand", "view").with_columns(
        pl.Series("label", matched(table, protocol.match).tolist()),
        pl.Series("poor", poor(squares, sides, prints, seen_at=seen_at), dtype=pl.String),
    )
    pairs = pairs_of(table, prints)
    return Facts(
        match=protocol.match,
        pictures={row["image"]: row for row in known.fill_null("").to_dicts()},
        twins=twins_of(table, protocol, vectors),
        copies=frozenset(frozenset(pair) for pair in pairs.select("first", "second").iter_rows()),
        doubts=doubts_of(dataset, table, prints, pairs),
        together=together_of(dataset, table, protocol),
    )


def pairs_of(table: pl.DataFrame, prints: Sequence[bytes]) -> pl.DataFrame:
    """The near duplicates of a table as the audit names them."""
    images, products = table["image"], table["product"]
    rows = [
        (
            images[pair.first],
            images[pair.second],
            "same product" if products[pair.first] == products[pair.second] else "others",
        )
        for pair in near_duplicates(prints)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(("first", "second", "relation"), pl.String), orient="row")


def twins_of(table: pl.DataFrame, protocol: Protocol, vectors: np.ndarray) -> dict[str, list[str]]:
    """Who each query's twins are in its gallery, the nearest first by the exact search. vectors (N, D), unit."""
    asked, images = sides_of(table, protocol), table["image"].to_list()
    found = {}
    for query in asked.asks[asked.twins > 0]:
        there = asked.answers[(asked.match[asked.answers] == asked.match[query])]
        there = there[asked.apart[there] != asked.apart[query]]
        order = np.argsort(-(vectors[there] @ vectors[query]), kind="stable")
        found[images[query]] = [images[row] for row in there[order]]
    return found


def doubts_of(
    dataset: DataSet, table: pl.DataFrame, prints: Sequence[bytes], pairs: pl.DataFrame
) -> dict[frozenset[str], str]:
    """What an audit of these pictures would doubt, by the pictures it names."""
    blank = [image for image, one in zip(table["image"], prints, strict=True) if shows_nothing(one)]
    here = dataset.products.filter(pl.col("product").is_in(table["product"].unique().to_list()))
    found = suspects.find(here, table, prints, pairs, blank).filter(pl.col("kind").is_in(list(DOUBTS)))
    told: dict[frozenset[str], str] = {}
    for kind, first, second, text in found.iter_rows():
        keys = [frozenset({first}), frozenset({second})] if kind == COLORS else [frozenset({first, second})]
        told |= dict.fromkeys(keys, f"{kind}: {text}")
    return told


def together_of(dataset: DataSet, table: pl.DataFrame, protocol: Protocol) -> Pairs | None:
    """Which views of one label train shows; None where the data set tells no views."""
    if not (table["view"] != "").any():
        return None
    train = dataset.pictures("train")
    if train.is_empty():
        return None
    labelled = pl.DataFrame({"label": matched(train, protocol.match), "view": train["view"]})
    several = labelled.filter(pl.col("label") != "").group_by("label").agg("view")
    return frozenset(pair for views in several["view"] for pair in _of_two(views.to_list()))


def _of_two(views: list[str]) -> set[frozenset[str]]:
    """The views of one label, two by two; a view with itself where it is there twice."""
    pairs = {frozenset({one, two}) for one in views for two in views if one != two}
    return pairs | {frozenset({one}) for one in views if views.count(one) > 1}
