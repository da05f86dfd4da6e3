"""Where in a Zappos state each field stands, and what stands there as text. Pure.

In: an item of a state, and a table of places. Out: candidates. Never: looks outside the item.
"""

from typing import Any, Final

from lookalike.catalog.prices import price
from shops.pages.found import Candidate, Candidates, told
from shops.pages.state import Places, along, from_cents, said
from shops.pages.zappos_source import Source, reduced, stars

PRICES: Final = ("price", "list_price")

ITEM: Final[Places] = {
    "name": ("productName", "name"),
    "brand": ("brandName", "brand.name", "brand"),
    "color": ("color", "styleColor", "colorName"),
    "category": ("defaultCategory", "category", "defaultProductType", "productType"),
    "price": ("price", "salePrice"),
    "currency": ("currencyCode", "currency"),
    "list_price": ("originalPrice", "msrp"),
    "rating": ("productRating", "reviewRating", "reviewAvgRating", "reviewSummary.aggregateRating"),
    "reviews": ("reviewCount", "numReviews", "reviewSummary.totalReviews"),
    "stock": ("onHand",),
    "gender": ("genders[]", "gender"),
    "product_type": ("defaultProductType", "productType"),
    "sub_category": ("defaultSubCategory", "subCategory"),
}
DETAIL: Final[Places] = {
    "name": ("productName",),
    "brand": ("brandName", "brand.name"),
    "category": ("defaultCategory", "defaultProductType"),
    "rating": ("reviewSummary.aggregateRating", "productRating"),
    "reviews": ("reviewSummary.totalReviews", "reviewCount"),
    "gender": ("genders[]",),
    "product_type": ("defaultProductType",),
    "sub_category": ("defaultSubCategory",),
    "description": ("description.bulletPoints[]", "description"),
}
STYLE: Final[Places] = {
    "color": ("color", "styleColor"),
    "price": ("price",),
    "currency": ("currencyCode", "currency"),
    "list_price": ("originalPrice", "msrp"),
    "sizes": ("stocks[].size",),
}


def told_at(source: Source, item: Any, places: Places) -> Candidates:
    """What an item says of each field of a table."""
    return {field: asked_at(source, item, *paths, field=field) for field, paths in places.items()}


def asked_at(source: Source, item: Any, *paths: str, field: str = "") -> list[Candidate]:
    """What stands at some of its paths, as the text of a field."""
    in_cents = source.in_cents and field in PRICES
    between = " · " if field == "description" else ", "
    return [
        (f"{source.name}.{path}", (in_cents and from_cents(item, path)) or _words(item, path, between))
        for path in paths
    ]


def _words(item: Any, path: str, between: str) -> str:
    """What is said there; of several values each once."""
    return between.join(dict.fromkeys(words for value in along(item, path) if (words := said(value).strip())))


def settled(told_there: Candidates, source: Source) -> Candidates:
    """The same with a currency to bare cents, without a price before the sale that is no more, or a rating of nobody."""
    now = told_there["price"]
    return told_there | {
        "currency": told_there["currency"] + _dollars(source, told(now)[0]),
        "list_price": reduced(now, told_there["list_price"]),
        "rating": stars(told_there["rating"]),
    }


def _dollars(source: Source, cost: str) -> list[Candidate]:
    """Whole cents bear no sign; the shop and its sibling count them in US dollars."""
    bare = source.in_cents and cost and not price(cost).currency
    return [("whole cents are of US dollars", "USD")] if bare else []
