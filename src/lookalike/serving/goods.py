"""A release's catalog in memory, as questions ask for it: what may be shown, how many there are of each, what a product is.

In: the tables of pictures and products. Out: `Goods`; masks over pictures; counts; a product's facts.
Never: compares a vector, or hands out an address that is not http or https; or walks over all products for one question.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import polars as pl

NAMED: Final = ("shop", "brand", "category", "color", "style", "currency")  # what a filter may name values of
FACETS: Final = ("brand", "category", "color", "shop", "currency")
LONGEST: Final = 1000  # signs of a value that can be asked for; what is longer counts as not told, except as a fact
GROUPS: Final = ("style", "brand")  # what pictures are grouped by, besides products
TOLD: Final = ("name", "brand", "category", "color", "style", "shop", "currency")
# With a host, and without a user before it: https://shop.example@elsewhere.example leads elsewhere.
SAFE: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f/?#\\@]+(?:[/?#][^\s\x00-\x1f\x7f]*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a shopper wants to see. Values of one name are alternatives; different names must all hold.

    What is not told of a product is no value and in no range: it is not shown where that is asked.
    """

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by a name of NAMED
    price: tuple[float | None, float | None] = (None, None)  # as the shop says it: of one currency
    rating: float | None = None  # at least
    in_stock: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is asked."""
        return bool(any(self.values.values()) or self.price != (None, None) or self.rating is not None or self.in_stock)


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """What is told of each product, by its row: made when it is asked for, as objects of all would fill the memory."""

    table: pl.DataFrame  # P rows; product, and what products.parquet has of TOLD and url
    prices: np.ndarray  # (P,) nan where it is not told
    ratings: np.ndarray  # (P,) nan
    stocks: np.ndarray  # (P,) nan

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> dict[str, Any]:
        said = self.table.row(row, named=True)
        told = {name: said.get(name) or None for name in TOLD}
        stock = _or_none(self.stocks[row])
        return told | {
            "price": _or_none(self.prices[row]),
            "rating": _or_none(self.ratings[row]),
            "in_stock": None if stock is None else stock > 0,
            "url": link(said.get("url")),
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Goods:
    """Products by row, and which of them each picture shows. P products, N pictures in the order of their ids."""

    ids: np.ndarray  # (N,) int64, rising
    views: Sequence[str]  # (N,)
    owner: np.ndarray  # (N,) the row of its product
    groups: Mapping[str, np.ndarray]  # by "product" and a name of GROUPS: (N,) from 0; who tells none is a group alone
    keys: Sequence[str]  # (P,)
    facts: Facts  # (P,)
    row_of: Mapping[str, int]
    codes: Mapping[str, np.ndarray]  # by a name of NAMED: (P,) numbers of its values, -1 where it is not told
    values: Mapping[str, Sequence[str]]  # by a name of NAMED: its values, in order

    @property
    def prices(self) -> np.ndarray:
        """(P,), nan where it is not told."""
        return self.facts.prices

    @property
    def ratings(self) -> np.ndarray:
        """(P,), nan where it is not told."""
        return self.facts.ratings

    @property
    def stocks(self) -> np.ndarray:
        """(P,), nan where it is not told."""
        return self.facts.stocks


def goods(pictures: pl.DataFrame, products: pl.DataFrame) -> Goods:
    """Tables of a release: pictures with id, product and view, in the order of their ids; products with all they are.

    A product without a picture cannot be found, and is left out.
    """
    ordered = products.filter(pl.col("product").is_in(pictures["product"].unique().to_list())).sort("product")
    keys = ordered["product"].to_list()
    row_of = {key: row for row, key in enumerate(keys)}
    owner = np.array([row_of[key] for key in pictures["product"]], np.int64)
    coded = {name: _coded(ordered, name) for name in NAMED}
    return Goods(
        ids=pictures["id"].to_numpy(),
        views=pictures["view"].to_list(),
        owner=owner,
        groups={"product": owner, **{name: _grouped(coded[name][0])[owner] for name in GROUPS}},
        keys=keys,
        facts=Facts(
            table=ordered.select(name for name in ("product", *TOLD, "url") if name in ordered.columns),
            prices=_numbers(ordered, "price"),
            ratings=_numbers(ordered, "rating"),
            stocks=_stocks(ordered),
        ),
        row_of=row_of,
        codes={name: codes for name, (codes, _) in coded.items()},
        values={name: values for name, (_, values) in coded.items()},
    )


def shown(of: Goods, said: Filters, *, leaving_out: str = "") -> np.ndarray:
    """Which products a filter lets through (P,) bool. leaving_out: one name that is not asked, to count its values."""
    kept = np.ones(len(of.keys), bool)
    for name, wanted in said.values.items():
        if wanted and name != leaving_out:
            kept &= _bears(of, name, wanted)
    low, high = said.price
    if low is not None:
        kept &= of.prices >= low  # nan is neither above nor below
    if high is not None:
        kept &= of.prices <= high
    if said.rating is not None:
        kept &= of.ratings >= said.rating
    if said.in_stock:
        kept &= of.stocks > 0
    return kept


def allowed(of: Goods, said: Filters) -> np.ndarray | None:
    """Which pictures may be found (N,) bool; None where all may."""
    if not said.any:
        return None
    mask: np.ndarray = shown(of, said)[of.owner]
    return mask


def facets(of: Goods, said: Filters) -> dict[str, dict[str, int]]:
    """How many products each value would leave, the most frequent first; its own name's filter is not counted."""
    found = {}
    for name in FACETS:
        codes = of.codes[name][shown(of, said, leaving_out=name)]
        counts = np.bincount(codes[codes >= 0], minlength=len(of.values[name]))
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]  # equal ones stay in the order of values
        found[name] = {of.values[name][code]: int(counts[code]) for code in order}
    return found


def currencies(of: Goods, said: Filters) -> list[str]:
    """In which the products that a filter lets through have their prices, whatever those are; "" where none is told."""
    priced = shown(of, replace(said, price=(None, None))) & np.isfinite(of.prices)
    return [of.values["currency"][code] if code >= 0 else "" for code in np.unique(of.codes["currency"][priced])]


def span(numbers: np.ndarray) -> tuple[float, float] | None:
    """The least and the greatest of those that are told."""
    told = numbers[np.isfinite(numbers)]
    return (float(told.min()), float(told.max())) if len(told) else None


def link(said: Any) -> str | None:
    """An address that a page may offer; None for any other kind, as a javascript: would run in the shopper's browser."""
    return said if isinstance(said, str) and SAFE.fullmatch(said) else None


def _bears(of: Goods, name: str, wanted: Sequence[str]) -> np.ndarray:
    """Which products bear one of the values; none bears a value that is not there. -> (P,) bool."""
    values = of.values[name]
    among = np.zeros(len(values) + 1, bool)  # the last, which -1 asks for, stays False
    for one in wanted:
        place = bisect_left(values, one)
        among[place] |= place < len(values) and values[place] == one
    mask: np.ndarray = among[of.codes[name]]
    return mask


def _grouped(codes: np.ndarray) -> np.ndarray:
    """Numbers from 0, equal where codes are, and one alone for each that is -1. (P,) -> (P,)."""
    alone = np.where(codes >= 0, codes, codes.max(initial=-1) + 1 + np.arange(len(codes)))
    numbers: np.ndarray = np.unique(alone, return_inverse=True)[1]
    return numbers


def _stocks(table: pl.DataFrame) -> np.ndarray:
    if "attributes" not in table.columns:
        return np.full(len(table), np.nan)
    return np.array([_stock(said) for said in table["attributes"]], float)


def _stock(attributes: str | None) -> float:
    """How many the shop has on hand, nan where it does not say."""
    if not attributes or '"stock"' not in attributes:
        return float("nan")
    told = json.loads(attributes)
    return _number(told.get("stock") if isinstance(told, dict) else None)


def _numbers(table: pl.DataFrame, name: str) -> np.ndarray:
    if name not in table.columns:
        return np.full(len(table), np.nan)
    return np.array([_number(said) for said in table[name]], float)


def _number(said: Any) -> float:
    """A number, nan where it is none."""
    try:
        value = float(said)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def _or_none(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _coded(table: pl.DataFrame, name: str) -> tuple[np.ndarray, list[str]]:
    """Numbers of values, -1 for none (P,), and the values in order."""
    if name not in table.columns:
        return np.full(len(table), -1), []
    texts = table[name].cast(pl.String).to_list()
    values = sorted(text for text in set(texts) if text and len(text) <= LONGEST)
    number = {value: code for code, value in enumerate(values)}
    return np.array([number.get(text, -1) for text in texts], np.int64), values
