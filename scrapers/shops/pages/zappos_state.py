"""Zappos pages with a state: window.__INITIAL_STATE__, and __NEXT_DATA__ of the sibling site. Pure.

In: the text of a page and its address. Out: a Page; None where the page has no such state. Never: takes half a state for
a whole one, or an advert for a product.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from shops.pages.found import absolute, read_each, told
from shops.pages.page import Found, Page, Picture
from shops.pages.state import at, count, is_true, loaded, raw_state, said, script_json, several, walked
from shops.pages.zappos_places import DETAIL, ITEM, STYLE, asked_at, settled, told_at
from shops.pages.zappos_source import (
    Source,
    address,
    by_id,
    by_link,
    each_product,
    found_at,
    in_link,
    next_link,
    redirected,
    source_of,
    which,
)

STATE: Final = "window.__INITIAL_STATE__"
NEXT: Final = "__NEXT_DATA__"
NEXT_LISTS: Final = (
    *("initialData.products", "initialData.results", "products.list", "products", "searchResult.list", "results"),
    *("initialState.products.list",),
)
NEXT_DETAILS: Final = ("product.detail", "initialData.product", "product", "initialState.product.detail")
TOTALS: Final = (("products", "totalProductCount"), ("totalProductCount",))
TOLD_OF_ALL: Final = (*TOTALS, ("filters", "pageCount"), ("meta", "documentMeta", "link"))
LINKS: Final = ("productUrl", "productSeoUrl", "defaultProductUrl")
MADE: Final = "made of its ids"  # an address that the page does not tell

_ADVERT = re.compile(
    r"(?:is|inline|native)?_?(?:ads?|advert\w*|sponsor\w*|promo\w*|banner\w*)(?:_?(?:id|type|slot|unit|data))?",
    re.IGNORECASE,
)


def listing(text: str, url: str) -> Page | None:
    """A listing with a state of its own."""
    raw = raw_state(text, STATE)
    state = loaded(raw, STATE) if raw else None
    if not isinstance(at(state, "products", "list"), list):
        return None
    source = source_of(text, url, "state: products.list[]")
    return _listing(several(state, "products", "list"), state, source, raw, text)


def next_listing(text: str, url: str) -> Page | None:
    """A listing of the sibling site, wherever in its data the items lie."""
    raw, shown = _next_data(text)
    items = _first(_are_items, shown, NEXT_LISTS)
    if items is None:
        return None
    source = source_of(text, url, "next: products[]", in_cents=True)
    return _listing(items, _around(shown), source, raw, text)


def product(text: str, url: str) -> Page | None:
    """A product page with a state of its own."""
    raw = raw_state(text, STATE)
    detail = at(loaded(raw, STATE), "product", "detail") if raw else None
    return _detailed(detail, source_of(text, url, "state: product.detail"), raw) if _is_detail(detail) else None


def next_product(text: str, url: str) -> Page | None:
    """A product page of the sibling site, wherever in its data the product lies."""
    raw, shown = _next_data(text)
    detail = _first(_is_detail, shown, NEXT_DETAILS)
    return _detailed(detail, source_of(text, url, "next: product", in_cents=True), raw) if detail else None


# Where things lie


def _next_data(text: str) -> tuple[str, Any]:
    """The JSON text of the sibling site's data, and what of it tells of the page."""
    raw = script_json(text, NEXT)
    return raw, at(loaded(raw, NEXT), "props", "pageProps") if raw else None


def _first(wanted: Callable[[Any], bool], shown: Any, paths: tuple[str, ...]) -> Any:
    """What is wanted: at one of the paths where it is known to stand, else wherever it lies least deep; None if nowhere."""
    known = (at(shown, *path.split(".")) for path in paths)
    return next(filter(wanted, known), None) or next(filter(wanted, walked(shown)), None)


def _are_items(value: Any) -> bool:
    return isinstance(value, list) and any(said(item, "productId") for item in value)


def _is_detail(value: Any) -> bool:
    return bool(said(value, "productId")) and bool(several(value, "styles"))


def _around(shown: Any) -> Any:
    """Where the sibling site tells of the whole listing what `products`, `filters` and `meta` of a state do."""
    tells = (one for one in walked(shown) if any(at(one, *path) is not None for path in TOLD_OF_ALL))
    return next(tells, None)


# A listing


def _listing(items: list[Any], state: Any, source: Source, raw: str, text: str) -> Page:
    shown = [item for item in items if not _is_advert(item)]
    every, odd = read_each(shown, _label_of, partial(_listed, source=source))
    totals = (count(state, *path) for path in TOTALS)
    return Page(
        generation=source.name.partition(":")[0],
        found=each_product(every),
        odd=odd,
        state=raw,
        total=next((total for total in totals if total is not None), None),
        next=_next_page(state, text, source.url),
    )


def _label_of(item: Any) -> str:
    return said(item, "productId") or said(item, "productName") or type(item).__name__


def _is_advert(item: Any) -> bool:
    """Whether this stands between products and says so itself. A product that is paid for is a product."""
    if not isinstance(item, dict) or said(item, "productId") or said(item, "productName"):
        return False
    kinds = [said(item, name) for name in ("type", "componentType", "componentName", "kind", "cardType")]
    return any(_ADVERT.fullmatch(word) for word in [*item, *kinds])


def _listed(item: Any, source: Source) -> Found:
    asked = partial(asked_at, source, item)
    link, by = told(asked(*LINKS))
    style, color = in_link(link)
    meant = which(asked("productId") + style, asked("colorId", "color.id") + color)
    page = address(link, source.url) or absolute(meant.path, source.url)
    told_there = settled(told_at(source, item, ITEM), source) | {"url": [(by or MADE, page)]}
    return found_at(meant, told_there, _shown(item, source), page=page, page_key=meant.style)


def _shown(item: Any, source: Source) -> list[Picture]:
    views = at(item, "imageMap")
    pictures = [by_id(source, said(image), view) for view, image in (views if isinstance(views, dict) else {}).items()]
    pictures += [by_id(source, said(item, name), "") for name in ("msaImageId", "imageId")]
    return pictures + [by_link(source, said(item, name), "") for name in ("thumbnailImageUrl", "defaultImageUrl")]


def _next_page(state: Any, text: str, url: str) -> str:
    """The address of the next page; "" at the last. Pages count from 0."""
    linked = absolute(said(state, "meta", "documentMeta", "link", "rel", "next"), url) or next_link(text, url)
    page, pages = count(state, "filters", "page"), count(state, "filters", "pageCount")
    counted = page is not None and pages is not None and page + 1 < pages
    following = linked or (_with_page(url, (page or 0) + 1) if counted else "")
    return "" if following == url else following


def _with_page(url: str, page: int) -> str:
    parts = urlsplit(url)
    others = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "p"]
    return urlunsplit(parts._replace(query=urlencode([*others, ("p", str(page))])))


# A product in all its colorways


def _detailed(detail: Any, source: Source, raw: str) -> Page:
    every, odd = read_each(several(detail, "styles"), _style_label, partial(_colorway, detail, source=source))
    return Page(generation=source.name.partition(":")[0], found=each_product(every), odd=odd, state=raw)


def _style_label(style: Any) -> str:
    return said(style, "colorId") or said(style, "styleId") or "a style without an id"


def _colorway(detail: Any, style: Any, source: Source) -> Found:
    one = replace(source, name=f"{source.name}.styles[]")
    link = said(style, "productUrl")
    product_id, color = in_link(link)
    meant = which(
        asked_at(source, detail, "productId") + asked_at(one, style, "productId") + product_id,
        asked_at(one, style, "colorId") + color,
    )
    page = address(link, source.url) or absolute(meant.path, source.url)
    told_there = settled(told_at(source, detail, DETAIL) | told_at(one, style, STYLE), source) | {
        "url": [(f"{one.name}.productUrl" if link else MADE, page)],
        "stock": [
            *redirected(meant.product, source.url),
            (f"{source.name}.oos", "0" if is_true(detail, "oos") else ""),
            (f"{one.name}.stocks[].onHand", _on_hand(at(style, "stocks"))),
        ],
    }
    images = [(said(image, "imageId"), said(image, "type")) for image in several(style, "images")]
    return found_at(meant, told_there, [by_id(source, image, view) for image, view in images])


def _on_hand(stocks: Any) -> str:
    """Pieces of all sizes together; "" where the page tells of none."""
    return str(sum(count(stock, "onHand") or 0 for stock in stocks)) if isinstance(stocks, list) else ""
