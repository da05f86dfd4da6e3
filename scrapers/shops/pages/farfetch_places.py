"""Where in the items and states of Farfetch each field stands, and what stands there as text. Pure.

In: a node of JSON, and a table of places. Out: candidates. Never: looks for the node itself, or at pictures.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from lookalike.catalog.prices import price
from shops.pages.found import Candidate, Candidates, told
from shops.pages.state import Places, along, at, count, said

ITEM: Final[Places] = {
    "product": ("id",),
    "brand": ("brand.name",),
    "name": ("shortDescription",),
    "price": ("priceInfo.finalPrice", "priceInfo.formattedFinalPrice"),
    "currency": ("priceInfo.currencyCode",),
    "list_price": ("priceInfo.initialPrice", "priceInfo.formattedInitialPrice"),
    "on_sale": ("priceInfo.isOnSale",),
    "stock": ("stockTotal",),
    "gender": ("gender",),
    "merchant": ("merchantId",),
    "sizes": ("availableSizes[].size", "availableSizes[]"),
    "url": ("url",),
}
MODEL: Final[Places] = {
    "product": ("details.productId",),
    "style": ("details.styleId",),
    "brand": ("designerDetails.name",),
    "category": ("breadcrumb[].text",),
    "color": ("details.colors", "details.colors[]", "designerDetails.designerColour"),
    "name": ("details.shortDescription",),
    "price": ("priceInfo.default.finalPrice", "priceInfo.default.formattedFinalPrice"),
    "currency": ("priceInfo.default.currencyCode",),
    "list_price": ("priceInfo.default.initialPrice", "priceInfo.default.formattedInitialPrice"),
    "on_sale": ("priceInfo.default.isOnSale",),
    "stock": ("details.stockTotal", "sizes.available[].quantity"),
    "gender": ("details.genderName",),
    "merchant": ("details.merchantId",),
    "sizes": ("sizes.available[].description",),
    "description": ("details.description",),
    "pictures": ("images.main[]",),
}
CACHE: Final[Places] = {
    "product": ("product.id", "variation.internalProductId"),
    "brand": ("product.brand.name",),
    "name": ("variation.description.short.textContent", "product.shortDescription"),
    "price": ("variation.price.value.formatted", "variation.price.value.raw"),  # only the first tells a currency
    "list_price": ("variation.price.fullPriceValue.formatted", "variation.price.fullPriceValue.raw"),
    "stock": ("variations[].quantity", "product.stockQuantity"),
    "gender": ("product.gender.id",),
    "merchant": ("variation.shipping.merchant.id",),
    "sizes": ("variations[].variationProperties[].values[].description",),
    "pictures": ("variation.images[]", "product.images[]"),
}
LINKED: Final[Places] = {
    "product": ("Product.productID", "Product.sku"),
    "brand": ("Product.brand.name", "Product.brand"),
    "category": ("BreadcrumbList.itemListElement[].item.name", "BreadcrumbList.itemListElement[].name"),
    "color": ("Product.color",),
    "name": ("Product.name",),
    "price": ("Product.offers.price", "Product.offers[].price"),
    "currency": ("Product.offers.priceCurrency", "Product.offers[].priceCurrency"),
    "description": ("Product.description",),
    "pictures": ("Product.image[]", "Product.image"),
}
NO_TEXT: Final = ("on_sale", "pictures")
FIELDS: Final = tuple(field for field in MODEL | ITEM if field not in NO_TEXT)
LISTED: Final = ("sizes", "color")  # several values are one text with commas; of any other field the first counts
KINDS: Final = ("clothing", "shoes", "accessories")  # above the categories, as other shops name them: boots, bags

_HOME = re.compile(r"(?:(?:women|men|kids|girls|boys|baby|unisex)(?:'s)?)?(?:\s*home)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something that tells of a product: an item, a state, the JSON-LD."""

    name: str
    places: Places
    node: Any
    step: Callable[[Any, str], Any] = at  # from a node to what its key holds

    def candidates(self, field: str) -> Iterator[Candidate]:
        """What it says of a field, place by place."""
        for path, values in self.seen(field):
            yield f"{self.name}: {path}", _in_words(field, values)

    def says(self, field: str) -> str:
        """What it says of a field."""
        return told(self.candidates(field))[0]

    def seen(self, field: str) -> Iterator[tuple[str, list[Any]]]:
        """Each place of a field, and the values that stand there."""
        for path in self.places.get(field, ()):
            yield path, along(self.node, path, self.step)


def said_by(sources: list[Source]) -> Candidates:
    """What sources say of each field together, the first of them first."""
    answers = {field: told(chain.from_iterable(one.candidates(field) for one in sources)) for field in FIELDS}
    fields = {field: value for field, (value, _) in answers.items()}
    fields |= _category(fields)
    if fields["style"] == "0":  # "no style" as a number; else all such products were one style
        fields["style"] = ""
    if not _on_sale(sources, fields):
        fields["list_price"] = ""
    return {field: [(answers.get(field, ("", ""))[1], value)] for field, value in fields.items()}


def _in_words(field: str, values: Iterable[Any]) -> str:
    """Values as the text of a field: the steps of a category, the sum of a stock, else the first."""
    texts = [text for value in values if (text := said(value).strip())]
    if field == "category":
        return " > ".join(texts)
    if field == "stock" and (counts := [pieces for text in texts if (pieces := count(text)) is not None]):
        return str(sum(counts))
    return ", ".join(texts) if field in LISTED else (texts or [""])[0]


def _category(fields: dict[str, str]) -> dict[str, str]:
    """The steps of a breadcrumb that are categories: not "Women Home", the brand, the product, nor "Shoes" of "Boots"."""
    others = {fields[name].casefold() for name in ("gender", "brand", "name")}
    steps = [
        one for one in fields["category"].split(" > ") if not _HOME.fullmatch(one) and one.casefold() not in others
    ]
    while len(steps) > 1 and steps[0].casefold() in KINDS:
        steps = steps[1:]
    category = " > ".join(steps)
    return {"category": category, "breadcrumb": fields["category"] if fields["category"] != category else ""}


def _on_sale(sources: list[Source], fields: dict[str, str]) -> bool:
    """As the shop says; where it does not, as the two prices say."""
    flags = [value for one in sources for _, values in one.seen("on_sale") for value in values]
    before, now = (price(fields[name]).amount for name in ("list_price", "price"))
    return next((flag for flag in flags if isinstance(flag, bool)), before != now)
