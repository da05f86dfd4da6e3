"""Zappos, in four generations of its pages: addresses, ids and names of views; what a page says is written next door.

In: the shelf and a question. Out: an Answer. Never: knows how such a page is read.

`zappos` has its state in window.__INITIAL_STATE__, `zappos_next` (the sibling site) in __NEXT_DATA__ with prices in cents,
`zappos_aria` in labels of links and in microdata, `zappos_oldest` in labels and in elements with ids.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from lookalike.toy.shop.answer import FACTS, Answer, Face
from lookalike.toy.shop.faces import zappos_pages
from lookalike.toy.shop.faces.page import Page, page
from lookalike.toy.shop.faces.zappos_names import CODES, COLORS_FROM, LISTING, PRODUCTS_FROM, ids, product_path
from lookalike.toy.shop.faces.zappos_pages import rendered
from lookalike.toy.shop.stock import Item, Stock

__all__ = ["FACES", "known_as", "photo", "rendered", "robots", "start", "view_of"]


@dataclass(frozen=True, kw_only=True)
class Pages:
    """How one generation writes its pages."""

    listing: Callable[[Page], str]
    product: Callable[[Item, tuple[Item, ...], str], str]  # the item, all colorways of its style on the shelf, the site
    redirects: bool = False  # whether what is sold out moves to another address, as it does where no state says so


SOLD_OUT: Final = "oosRedirected"
CLOSED: Final = ("/search?term=*", "/multiview/", "/item-details", "/account", "/cart$", "/logout", "/register")
KNOWN: Final = {
    "MAIN": "main",
    "PAIR": "pair",
    "TOPP": "top",
    "LEFT": "left",
    "BACK": "back",
    "RGHT": "right",
    "FRNT": "front",
}
_PRODUCT: Final = re.compile(r"/p/[^/]+/product/(\d{1,12})(?:/color/(\d{1,12}))?")
_PHOTO: Final = re.compile(r"/images/I/([A-Za-z0-9+-]+)(?:\._([A-Za-z0-9_,]+)_)?\.jpg")
_SIDE: Final = re.compile(r"S[XYLR](\d{1,4})(?!\d)")


def known_as(item: Item) -> tuple[str, str]:
    """Product and style as Zappos names them: a colorway has its number only within its product."""
    product, color = ids(item)
    return f"{product}/{color}", product


def view_of(drawn: str) -> str:
    """The name of a view as lookalike knows it; what only this shop knows stays its code, in lower case."""
    code = CODES[drawn]
    return KNOWN.get(code, code.lower())


def photo(path: str) -> tuple[str, int | None] | None:
    """The photo of an image's address, and the side that its modifier asks for."""
    found = _PHOTO.fullmatch(path)
    side = _SIDE.search(found[2] or "") if found else None
    return (found[1], int(side[1]) if side else None) if found else None


def start(_stock: Stock) -> str:
    """The first page, which has the number 0."""
    return f"{LISTING}?p=0"


def robots(site: str) -> str:
    """What robots are asked to leave alone: no listing, and no product."""
    closed = "".join(f"Disallow: {path}\n" for path in CLOSED)
    return f"User-agent: *\n{closed}\nSitemap: {site}/sitemap/product_index.xml\n"


def _answer(pages: Pages, odd: bool, stock: Stock, path: str, query: Mapping[str, str], site: str) -> Answer | None:
    if path == LISTING:
        shown = page(stock, query.get("p", "0"), site, first=0, odd=odd)
        return Answer(body=pages.listing(shown).encode(), kind="listing") if shown else None
    family = _family(stock, path)
    if not family:
        return None
    item = family[0]
    if pages.redirects and not item.stock and SOLD_OUT not in query:
        return Answer(status=302, headers={"Location": f"{site}{product_path(item)}?{SOLD_OUT}=true"})
    return Answer(body=pages.product(item, family, site).encode(), kind="product")


def _family(stock: Stock, path: str) -> tuple[Item, ...]:
    """The item of an address, then the other colorways of its style; none where there is no such item today."""
    found = _PRODUCT.fullmatch(path)
    family = stock.by_style.get(int(found[1]) - PRODUCTS_FROM, ()) if found else ()
    color = int(found[2]) - COLORS_FROM if found and found[2] else None
    meant = [item for item in family if color in (None, item.colorway)][:1]
    return (*meant, *(item for item in family if item not in meant)) if meant else ()


def _face(pages: Pages, tells: frozenset[str]) -> Face:
    return Face(
        answer=partial(_answer, pages, False),
        odd=partial(_answer, pages, True),
        robots=robots,
        start=start,
        photo=photo,
        known_as=known_as,
        view_of=view_of,
        tells=tells,
    )


_LABELLED: Final = FACTS - {"stock", "list_price"}
FACES: Final[dict[str, Face]] = {
    "zappos": _face(Pages(listing=zappos_pages.state_listing, product=zappos_pages.state_product), FACTS),
    "zappos_next": _face(
        Pages(listing=zappos_pages.next_listing, product=zappos_pages.next_product), FACTS - {"currency"}
    ),
    "zappos_aria": _face(
        Pages(listing=zappos_pages.aria_listing, product=zappos_pages.aria_product, redirects=True), _LABELLED
    ),
    "zappos_oldest": _face(
        Pages(listing=zappos_pages.aria_listing, product=zappos_pages.oldest_product, redirects=True), _LABELLED
    ),
}
