"""Zappos: its listings and product pages, in every layout that they have had. Pure.

In: the text of a page and its address. Out: a Page, or PageError. Never: asks the network, keys on a CSS class (they are
hashes of a build), or names a product by what its pictures are called.

generation  what tells of it                                                                       is read in
state       window.__INITIAL_STATE__ = {...}: a product page tells all colorways of a style        zappos_state
next        <script id="__NEXT_DATA__">, of the sibling site: the same words, prices in cents      zappos_state
aria        a listing whose links say all in their aria-label; its product pages are as below      zappos_links
microdata   a product page with itemprop                                                           zappos_html
oldest      a listing of bare links; a product page with #prdImage and #thumbnailsList             zappos_links, _html

Each field has candidates in an order, and `Found.answered` says which of them told it.
"""

from collections.abc import Callable
from typing import Final

from lookalike.catalog.product import RowError
from shops.pages import zappos_html, zappos_links, zappos_state
from shops.pages.page import Page, PageError
from shops.pages.verdict import breaks_off

Read = Callable[[str, str], Page | None]  # None: a page of another generation
LISTINGS: Final[tuple[Read, ...]] = (zappos_state.listing, zappos_state.next_listing, zappos_links.listing)
PRODUCTS: Final[tuple[Read, ...]] = (zappos_state.product, zappos_state.next_product, zappos_html.product)
MEND: Final = f"Save it with scripts/save_page.py, then mend {__file__} or the file beside it"


def read_listing(text: str, url: str) -> Page:
    """The products that a listing shows, and the address of its next page."""
    return _read(LISTINGS, text, url, missing="products.list in a state, and no link to a product")


def read_product(text: str, url: str) -> Page:
    """The product of a page: where the page has a state, in all its colorways."""
    return _read(PRODUCTS, text, url, missing="product.detail in a state, itemprop or #prdImage")


def _read(generations: tuple[Read, ...], text: str, url: str, *, missing: str) -> Page:
    """What the first generation reads that this page is of."""
    try:
        _refuse_style_room(url)
        pages = (read(text, url) for read in generations)
        return next(filter(None, pages), None) or _strange(text, missing)
    except PageError as wrong:
        raise type(wrong)(wrong.reason, f"{url}: {wrong}") from None
    except RowError as wrong:
        raise PageError(wrong.reason, f"{url}: {wrong}. {MEND}") from None


def _refuse_style_room(url: str) -> None:
    if "/a/the-style-room" in url.partition("?")[0]:
        raise PageError(
            "the_style_room", "The Style Room has a layout of its own, which nobody has written a reader for"
        )


def _strange(text: str, missing: str) -> Page:
    """No generation fits: half a page, or a new layout."""
    if breaks_off(text):
        raise PageError("half_page", f"the page breaks off after {len(text)} characters. Ask for it again")
    raise PageError("unknown_layout", f"no {missing}; the shop changed its page, or this is another one. {MEND}")
