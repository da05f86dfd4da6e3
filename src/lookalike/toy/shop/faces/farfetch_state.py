"""What Farfetch's listing and its product pages say, as plain data, and what it calls things.

In: a page of the listing, or an item. Out: data for JSON. Never: decides what an address means.
"""

from decimal import Decimal
from typing import Any, Final
from zlib import crc32

from lookalike.toy.shop.faces.page import Page, money, number, percent_off, pieces
from lookalike.toy.shop.stock import Item, Photo

Data = dict[str, Any]

PRODUCTS_FROM: Final = 10_000_000
STYLES_FROM: Final = 500_000
BETWEEN_ADVERTS: Final = 20
_SIZES: Final = {"17": "One Size"}
_SHOE_SIZES: Final = {str(20 + place): f"{size}" for place, size in enumerate(range(35, 42))}


def items(page: Page, locale: str) -> list[Data]:
    """The items of a page of the listing, an advert after every twenty."""
    shown = [_item(item, page.site, locale) for item in page.items]
    if page.odd:
        shown.insert(len(shown) // 2, {"id": {"value": None}, "shortDescription": None, "brand": None, "url": None})
    advert = {"type": "banner", "shortDescription": "The boot edit", "url": f"/{locale}/sets/women/boots.aspx"}
    pairs = ([one, advert] if place % BETWEEN_ADVERTS == 0 else [one] for place, one in enumerate(shown, start=1))
    return [one for pair in pairs for one in pair]


def pagination(page: Page) -> Data:
    """Where in the listing it is; pages are counted from 1."""
    return {
        "index": page.place + 1,
        "view": page.per_page,
        "totalItems": page.total,
        "totalPages": page.count,
        "normalizedTotalItems": f"{page.total:,}",
    }


def _item(item: Item, site: str, locale: str) -> Data:
    every = [picture(item, one, site, 480) for one in item.photos]
    return {
        "id": PRODUCTS_FROM + item.number,
        "shortDescription": item.name,
        "merchantId": 9359,
        "brand": {"id": _brand_id(item), "name": item.brand},
        "gender": "WOMEN",
        "images": {"cutOut": every[0], "model": every[-1], "all": every},
        "priceInfo": _prices(item),
        "availableSizes": [{"scaleId": 204, "size": size} for _, size, _ in _on_hand(item)],
        "stockTotal": item.stock,
        "url": product_path(item, locale),
        "isCustomizable": False,
        "type": "product",
    }


def view_model(item: Item, site: str, locale: str) -> Data:
    """All that a product's page shows."""
    sizes = _on_hand(item)
    return {
        "details": {
            "productId": PRODUCTS_FROM + item.number,
            "shortDescription": item.name,
            "description": f"<p>{item.name} by {item.brand}, in {item.color}.</p>",
            "colors": item.color,
            "gender": 0,
            "genderName": "Women",
            "merchantId": 9359,
            "styleId": STYLES_FROM + item.style_number,
            "link": {"href": product_path(item, locale)},
        },
        "designerDetails": {"id": _brand_id(item), "name": item.brand},
        "breadcrumb": breadcrumb(item, locale),
        "images": {"main": [_image(item, place, site) for place in range(len(item.photos))]},
        "priceInfo": {"default": _prices(item)},
        "sizes": {
            "available": {
                key: {"sizeId": int(key), "description": size, "quantity": many, "lastInStock": many == 1}
                for key, size, many in sizes
            },
            "isOneSize": item.category == "Bags",
        },
        "similarProducts": None,
    }


def breadcrumb(item: Item, locale: str) -> list[Data]:
    """From all that women wear down to the category."""
    kind = "Accessories" if item.category == "Bags" else "Shoes"
    steps = {"gender": "Women", "category": kind, "subcategory": item.category}
    return [
        {"data-type": sort, "href": f"/{locale}/shopping/{text.lower()}/items.aspx", "text": text}
        for sort, text in steps.items()
    ]


def breadcrumb_list(crumbs: list[Data], site: str) -> Data:
    """The same for machines that read JSON-LD."""
    steps = [
        {"@type": "ListItem", "position": place, "item": {"@id": site + crumb["href"], "name": crumb["text"]}}
        for place, crumb in enumerate(crumbs, start=1)
    ]
    return {"@context": "https://schema.org", "@type": "BreadcrumbList", "itemListElement": steps}


def product_path(item: Item, locale: str) -> str:
    """The item's own page."""
    return f"/{locale}/shopping/women/{item.slug}-item-{PRODUCTS_FROM + item.number}.aspx"


def picture(item: Item, photo: Photo, site: str, size: int) -> str:
    """A picture's address; its folders are the product's number."""
    product = str(PRODUCTS_FROM + item.number)
    folders = "/".join(product[at : at + 2] for at in range(0, 8, 2))
    return f"{site}/{folders}/{product}_{photo.id}_{size}.jpg"


def formatted(amount: Decimal, currency: str) -> str:
    """A price as it is shown; dollars without cents where there are none."""
    shown = money(amount, currency)
    return shown.removesuffix(".00") if currency == "USD" else shown


def _image(item: Item, place: int, site: str) -> Data:
    sizes = {"zoom": 1000, "large": 480, "small": 300}
    named = {name: picture(item, item.photos[place], site, size) for name, size in sizes.items()}
    return {"index": place + 1, "alt": f"{item.brand} {item.name}", **named}


def _prices(item: Item) -> Data:
    before = item.list_price or item.price
    return {
        "formattedFinalPrice": formatted(item.price, item.currency),
        "formattedInitialPrice": formatted(before, item.currency),
        "finalPrice": number(item.price),
        "initialPrice": number(before),
        "currencyCode": item.currency,
        "isOnSale": bool(item.list_price),
        "discountLabel": f"-{percent_off(item)}%" if item.list_price else None,
    }


def _on_hand(item: Item) -> list[tuple[str, str, int]]:
    """The sizes that there are: key, name, pieces."""
    sizes = _SIZES if item.category == "Bags" else _SHOE_SIZES
    return [(key, sizes[key], many) for key, many in pieces(item, tuple(sizes)) if many]


def _brand_id(item: Item) -> int:
    return crc32(item.brand.encode()) % 10_000_000
