"""Farfetch, in four generations of its pages: addresses and ids; what a page says is written next door.

In: the shelf and a question. Out: an Answer. Never: knows how such a page is read.

The listing is JSON from an address of its own, whose key for the items changed twice. A product's page is HTML with its state
in a script: `farfetch` and `farfetch_apollo` in window.__HYDRATION_STATE__, the older ones in window['__initialState__'] and
window['__initialState_slice-pdp__'].
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from markupsafe import Markup

from lookalike.toy.shop.answer import FACTS, Answer, Face
from lookalike.toy.shop.faces import farfetch_state as state
from lookalike.toy.shop.faces.farfetch_state import PRODUCTS_FROM, STYLES_FROM, Data
from lookalike.toy.shop.faces.page import Page, data, html, page, quoted
from lookalike.toy.shop.stock import Item, Stock

ORIGINAL: Final = 1000  # the size that an original goes by
JSON: Final = "application/json; charset=utf-8"
_LOCALE: Final = r"/([a-z]{2}(?:-[a-z]{2})?)"
_LISTING: Final = re.compile(rf"{_LOCALE}/plpslice/listing-api/products-facets")
_PRODUCT: Final = re.compile(rf"{_LOCALE}/shopping/women/([^/]+)-item-(\d{{1,12}})\.aspx")
_PHOTO: Final = re.compile(r"(?:/\d\d){4}/\d+_([A-Za-z0-9+-]+)_(300|480|1000)\.jpg")


@dataclass(frozen=True, kw_only=True)
class Pages:
    """How one generation writes its pages."""

    listing: Callable[[list[Data]], Data]  # items -> the part of the answer that holds them
    script: Callable[[Data], Markup]  # what a product's page shows -> the script that holds it


def known_as(item: Item) -> tuple[str, str]:
    """Product and style as Farfetch names them; only a product's page tells the style."""
    return str(PRODUCTS_FROM + item.number), str(STYLES_FROM + item.style_number)


def view_of(_drawn: str) -> str:
    """Farfetch does not say what a photograph shows."""
    return ""


def photo(path: str) -> tuple[str, int | None] | None:
    """The photo of an image's address, and the size in it."""
    found = _PHOTO.fullmatch(path)
    return (found[1], None if int(found[2]) == ORIGINAL else int(found[2])) if found else None


def start(stock: Stock) -> str:
    """The first page, which has the number 1."""
    words = f"page=1&view={stock.per_page}&pagetype=Shopping&gender=Women&pricetype=FullPrice"
    return f"/uk/plpslice/listing-api/products-facets?{words}"


def robots(site: str) -> str:
    """Robots are asked to leave the search alone."""
    return f"User-agent: *\nDisallow: */search\n\nSitemap: {site}/sitemaps/products.xml\n"


def _answer(pages: Pages, odd: bool, stock: Stock, path: str, query: Mapping[str, str], site: str) -> Answer | None:
    if found := _LISTING.fullmatch(path):
        shown = page(stock, query.get("page", "1"), site, first=1, odd=odd)
        return _listing(pages, shown, found[1]) if shown else None
    if found := _PRODUCT.fullmatch(path):
        item = stock.by_number.get(int(found[3]) - PRODUCTS_FROM)
        return _product(pages, item, site, locale=found[1], slug=found[2]) if item else None
    return None


def _listing(pages: Pages, shown: Page, locale: str) -> Answer:
    told = {
        **pages.listing(state.items(shown, locale)),
        "listingPagination": state.pagination(shown),
        "listingFacets": {"facets": {}},
        "staticContentBaseUri": shown.site,
    }
    return Answer(content_type=JSON, body=json.dumps(told, ensure_ascii=False).encode(), kind="listing")


def _product(pages: Pages, item: Item, site: str, *, locale: str, slug: str) -> Answer:
    if slug != item.slug:
        return Answer(status=410, body=html("farfetch_gone.html.j2").encode())
    crumbs = state.breadcrumb(item, locale)
    written = html(
        "farfetch_product.html.j2",
        item=item,
        url=site + state.product_path(item, locale),
        price=state.formatted(item.price, item.currency),
        before=state.formatted(item.list_price, item.currency) if item.list_price else "",
        images=[state.picture(item, one, site, 480) for one in item.photos],
        crumbs=crumbs,
        json_ld=data(state.breadcrumb_list(crumbs, site)),
        script=pages.script({"productViewModel": state.view_model(item, site, locale)}),
    )
    return Answer(body=written.encode(), kind="product")


def _hydrated(held: Data) -> Markup:
    return Markup("window.__HYDRATION_STATE__=%s;") % quoted(held)


def _slices(slice_: Data) -> Markup:
    """The newest: one slice among others."""
    around: Data = {"slice-header": {"isLogged": False}, "slice-footer": {"note": '</script><p>"};'}}
    return _hydrated({"initialStates": {**around, "slice-product": slice_}, "page": {"type": "product"}})


def _apollo(slice_: Data) -> Markup:
    """The cache of a query that asked for the slice."""
    asked = 'slice({"name":"slice-product"})'
    root = {"__typename": "Query", asked: {"data": {"slice-product": slice_}}}
    return _hydrated({"apolloInitialState": {"ROOT_QUERY": root}, "page": {"type": "product"}})


def _initial(slice_: Data) -> Markup:
    return Markup("window['__initialState__'] = %s;") % quoted({"slice-header": {}, "slice-product": slice_})


def _pdp(slice_: Data) -> Markup:
    return Markup("window['__initialState_slice-pdp__'] = %s;") % data({**slice_, "isSSRMobile": False})


def _face(pages: Pages) -> Face:
    return Face(
        answer=partial(_answer, pages, False),
        odd=partial(_answer, pages, True),
        robots=robots,
        start=start,
        photo=photo,
        known_as=known_as,
        view_of=view_of,
        tells=FACTS - {"rating", "views"},
    )


def _listing_items(items: list[Data]) -> Data:
    return {"listingItems": {"items": items}}


FACES: Final[dict[str, Face]] = {
    "farfetch": _face(Pages(listing=_listing_items, script=_slices)),
    "farfetch_apollo": _face(Pages(listing=_listing_items, script=_apollo)),
    "farfetch_listing": _face(Pages(listing=lambda items: {"listing": {"products": items}}, script=_initial)),
    "farfetch_products": _face(Pages(listing=lambda items: {"products": items}, script=_pdp)),
}
