"""The state that Zappos' newer pages carry for their own scripts, as plain data.

In: what a page shows. Out: data for JSON. Never: writes HTML.

Figures are text where Zappos writes text ("onHand": "3", "totalReviews": "12"), and "not rated" is 0, as there.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from lookalike.toy.shop.faces.page import Page, percent_off, pieces
from lookalike.toy.shop.faces.zappos_names import (
    CODES,
    LISTING,
    STYLES_FROM,
    ids,
    picture,
    product_path,
    product_type,
    sizes,
)
from lookalike.toy.shop.stock import Item

Data = dict[str, Any]
Written = Callable[[Decimal, str], str | int]  # amount, currency -> the price as the state has it

# Ends like the state itself: whoever cuts the page at the first "};" has half a state.
_AROUND: Final = {"environmentConfig": {"stage": "prod", "fallback": "<script>if (!window.ok) { retry(); };</script>"}}


def listing(page: Page, written: Written) -> Data:
    """The state of a page of the listing."""
    cards = [_card(item, page.site, written) for item in page.items]
    if page.odd:
        cards.insert(len(cards) // 2, {"productId": None, "productName": "undefined", "price": None})
    return {
        **_AROUND,
        "pageView": {"pageType": "search"},
        "filters": {"page": page.place, "pageCount": page.count, "selected": {}, "sort": {"relevance": "desc"}},
        "products": {
            "list": cards,
            "totalProductCount": page.total,
            "productLimit": page.per_page,
            "isLoading": False,
            "requestedUrl": f"{LISTING}?p={page.place}",
        },
        "meta": {"documentMeta": {"title": "Women's Boots", "link": {"rel": links(page)}}},
    }


def links(page: Page) -> dict[str, str]:
    """Where the pages before and after this one are."""
    rel = {"canonical": f"{LISTING}?p={page.place}"}
    if page.place:
        rel["prev"] = f"{LISTING}?p={page.place - 1}"
    if not page.is_last:
        rel["next"] = f"{LISTING}?p={page.place + 1}"
    return rel


def _card(item: Item, site: str, written: Written) -> Data:
    product, color = ids(item)
    return {
        "productId": product,
        "styleId": _style(item),
        "colorId": color,
        "productName": item.name,
        "brandName": item.brand,
        "styleColor": item.color,
        **_prices(item, written),
        "onSale": bool(item.list_price),
        "isNew": "false",
        "productUrl": site + product_path(item),
        "productSeoUrl": product_path(item),
        "thumbnailImageUrl": picture(item.photos[0].id, site, "AC_SX255"),
        "msaImageId": item.photos[0].id,
        "imageMap": {CODES[photo.view]: photo.id for photo in item.photos},
        "productRating": float(item.rating or 0),
        "reviewCount": item.reviews,
    }


def product(item: Item, family: tuple[Item, ...], site: str, written: Written) -> Data:
    """The state of a product's page: all colorways that are on the shelf, the one asked for first."""
    return {
        **_AROUND,
        "pageView": {"pageType": "product"},
        "product": {
            "detail": {
                "productId": ids(item)[0],
                "productName": item.name,
                "brandName": item.brand,
                "defaultProductUrl": product_path(item),
                "defaultProductType": product_type(item),
                "defaultCategory": item.category,
                "defaultSubCategory": None,
                "genders": ["Womens"],
                "description": {"bulletPoints": [f"{item.name} by {item.brand}.", f"<b>SKU</b> {ids(item)[0]}"]},
                "reviewSummary": {"aggregateRating": float(item.rating or 0), "totalReviews": str(item.reviews)},
                "oos": not any(one.stock for one in family),
                "styles": [_colorway(one, site, written) for one in family],
            },
            "seoProductUrl": product_path(item),
            "isLoading": False,
        },
    }


def _colorway(item: Item, site: str, written: Written) -> Data:
    product, color = ids(item)
    return {
        "productId": product,
        "styleId": _style(item),
        "colorId": color,
        "color": item.color,
        **_prices(item, written),
        "onSale": "true" if item.list_price else "false",
        "isNew": "false",
        "productUrl": product_path(item),
        "imageUrl": picture(item.photos[0].id, site),
        "images": [{"imageId": photo.id, "type": CODES[photo.view]} for photo in item.photos],
        "stocks": [
            {"stockId": f"{_style(item)}{place:02d}", "size": size, "width": "B - Medium", "onHand": str(many)}
            for place, (size, many) in enumerate(pieces(item, sizes(item)))
        ],
    }


def _prices(item: Item, written: Written) -> Data:
    return {
        "price": written(item.price, item.currency),
        "originalPrice": written(item.list_price or item.price, item.currency),
        "percentOff": f"{percent_off(item)}%",
    }


def _style(item: Item) -> str:
    return str(STYLES_FROM + item.number)
