"""Labels that deserve a look: what the pictures, the names or the prices of a data set contradict.

In: the tables of a data set, its pictures' fingerprints and near-duplicate pairs. Out: a table of suspicions, each with
a sentence. Never: says that a label is wrong (it may be the picture), or corrects one.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lookalike.catalog.nearness import tints

SUSPECTS = dict.fromkeys(("kind", "first", "second", "text"), pl.String)
TWO_LABELS = "one photograph, two labels"
COMPARED = ("brand", "category", "style", "color")  # labels that one photograph should not have two of
FAR = 6.0  # robust standard deviations from the median: what is beyond is odd
FEW_PRICES = 20  # from fewer in a category no outlier is told
FAR_TINT = 30.0  # CIELAB: brown and white are some 50 apart, a shoe's two sides 5 to 15

Found = Iterator[tuple[str, str, str, str]]


def find(
    products: pl.DataFrame, sound: pl.DataFrame, prints: Sequence[bytes], pairs: pl.DataFrame, blank: Sequence[str]
) -> pl.DataFrame:
    """List all suspicions. `sound` are the pictures that could be read, in the order of `prints`."""
    first_image = dict(zip(sound["product"].reverse(), sound["image"].reverse(), strict=True))
    rows = [
        *_one_photograph_two_labels(sound, pairs),
        *_pictures_of_another_color(sound, prints),
        *_one_name_two_products(products, first_image),
        *_odd_prices(products, first_image),
        *_two_spellings(products),
        *(("blank picture", image, "", "nothing can be seen on it") for image in blank),
    ]
    return pl.DataFrame(rows, schema=SUSPECTS, orient="row")


def _one_photograph_two_labels(sound: pl.DataFrame, pairs: pl.DataFrame) -> Found:
    told = {row["image"]: row for row in sound.to_dicts()}
    for pair in pairs.filter(pl.col("relation") != "same product").to_dicts():
        one, two = told[pair["first"]], told[pair["second"]]
        if differ := [f"{name} {one[name]!r} or {two[name]!r}" for name in COMPARED if one[name] != two[name]]:
            yield TWO_LABELS, pair["first"], pair["second"], "; ".join(differ)


def _pictures_of_another_color(sound: pl.DataFrame, prints: Sequence[bytes]) -> Found:
    """Products whose two most different pictures are far apart in color, and much farther than is usual here."""
    colors = tints(prints)
    places = (
        sound.with_row_index("place")
        .group_by("product", maintain_order=True)
        .agg("place")
        .filter(pl.col("place").list.len() > 1)
    )
    widest = [
        max((float(np.linalg.norm(colors[a] - colors[b])), a, b) for a, b in combinations(of, 2))
        for of in places["place"]
    ]
    if not widest:
        return
    middle, spread = _usual(np.array([gap for gap, _, _ in widest]))
    limit = max(FAR_TINT, middle + FAR * spread)
    for product, (gap, one, two) in zip(places["product"], widest, strict=True):
        if gap > limit:
            text = f"two pictures of {product} are {gap:.0f} apart in CIELAB; here up to {limit:.0f} is usual"
            yield "pictures of another color", sound["image"][one], sound["image"][two], text


def _usual(values: NDArray[np.float64]) -> tuple[float, float]:
    """The median, and the standard deviation as the median distance from it tells: a few odd values move neither."""
    middle = float(np.median(values))
    return middle, 1.4826 * float(np.median(np.abs(values - middle)))


def _one_name_two_products(products: pl.DataFrame, first_image: dict[str, str]) -> Found:
    """Products that nothing but their name ties together; those of one style are tied already."""
    key = ["shop", "brand", "name", "color"]
    for group in (
        products.filter(pl.col("name") != "").filter(pl.len().over(key) > 1).partition_by(key, maintain_order=True)
    ):
        first, *others = group["product"].to_list()
        style, *styles = group["style"].to_list()
        for other in (other for other, its in zip(others, styles, strict=True) if not style or its != style):
            text = f"{first} and {other} are both called {group['name'][0]!r}"
            yield "one name, two products", first_image.get(first, ""), first_image.get(other, ""), text


def _odd_prices(products: pl.DataFrame, first_image: dict[str, str]) -> Found:
    """Prices far from their category's median, in robust standard deviations of the logarithm."""
    priced = products.with_columns(amount=pl.col("price").cast(pl.Float64, strict=False)).filter(pl.col("amount") > 0)
    for group in priced.partition_by("category", "currency", maintain_order=True):
        logs = np.log(group["amount"].to_numpy())
        middle, spread = _usual(logs)
        if len(group) < FEW_PRICES or spread == 0:
            continue
        for row in group.filter(np.abs(logs - middle) > FAR * spread).to_dicts():
            text = f"{row['product']} costs {row['price']} {row['currency']}"
            usual = f"the median of {row['category'] or 'all'} is {np.exp(middle):.2f}"
            yield "odd price", first_image.get(row["product"], ""), "", f"{text}; {usual}"


def _two_spellings(products: pl.DataFrame) -> Found:
    """Values of a label that differ in upper and lower case or blanks alone."""
    for column in ("brand", "category", "color"):
        counts = products.filter(pl.col(column) != "").group_by(column).agg(rows=pl.len())
        plain = counts.with_columns(
            plain=pl.col(column).str.to_lowercase().str.replace_all(r"[\s_-]+", " ").str.strip_chars()
        )
        for group in (
            plain.filter(pl.len().over("plain") > 1).sort("plain", column).partition_by("plain", maintain_order=True)
        ):
            told = ", ".join(
                f"{value!r} ({rows} products)" for value, rows in zip(group[column], group["rows"], strict=True)
            )
            yield "two spellings", "", "", f"{column} is written {told}"
