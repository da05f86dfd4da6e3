"""Farfetch: an answer of its listing API, and a product page, in every layout that is known. Pure.

In: the text of an answer, and its address. Out: a Page, or a PageError. Never: asks the network, judges a status, or
guesses: the currency is the one that the page names, whichever country stands in the address.

Where it stands, newest first, and how that is known
listing_items  listingItems.items[]                                           public crawlers
listing        listing.products[]                                             public crawlers; items assumed as above
products       products[]                                                     public crawlers, items as above
apollo         __HYDRATION_STATE__: apolloInitialState, a cache of GraphQL    public crawlers read only the price, quantity
                                                                              and size of a Variation; the other names are
                                                                              those of the shop's own queries, assumed here
hydration      __HYDRATION_STATE__: initialStates.slice-product               public crawlers
initial_state  __initialState__: slice-product                                public crawlers
slice_pdp      __initialState_slice-pdp__                                     public crawlers
json_ld        the Product of schema.org, beside any state                    a public crawler that reads nothing else
Three of the states are a productViewModel, which is taken wherever in a state it stands. The first two marks hold JSON
inside a JSON string.

farfetch_state finds them, farfetch_places knows where in them each field stands.
"""

import re
from dataclasses import replace
from functools import partial
from typing import Any, Final

from lookalike.catalog.clean import web_address
from lookalike.catalog.product import RowError
from shops.pages.farfetch_pictures import pictures_of
from shops.pages.farfetch_places import ITEM, Source, said_by
from shops.pages.farfetch_state import linked_data, state_of
from shops.pages.found import absolute, found, read_each
from shops.pages.page import Found, Page, PageError
from shops.pages.state import at, count, loaded, said
from shops.pages.verdict import breaks_off

SHOP: Final = "farfetch"
LISTINGS: Final = (
    ("listing_items", ("listingItems", "items")),
    ("listing", ("listing", "products")),
    ("products", ("products",)),
)
SHOWN: Final = 60  # characters of an item that a message shows

_ITEM_ID = re.compile(r"-item-([0-9]+)\.aspx")
_PAGE = re.compile(r"([?&]page=)([^&#]*)")


def read_listing(text: str, url: str) -> Page:
    """The products of one answer of the listing API."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        raise _not_ours("not_json", url, "no answer of the listing API")
    answer = loaded(text.lstrip("\ufeff"), f"the listing {url}")
    generation, items = _items(answer, url)
    shown = [item for item in items if not _is_advert(item)]
    every, odd = read_each(shown, _label_of, partial(_listed, generation=generation, url=url))
    return Page(
        generation=generation,
        found=every,
        odd=odd,
        state=text,
        total=count(answer, "listingPagination", "totalItems"),
        next=_next(url, at(answer, "listingPagination")),
    )


def read_product(text: str, url: str) -> Page:
    """The one product of a product page."""
    asked = _ITEM_ID.search(url)
    wanted = asked[1] if asked else ""
    source, state = state_of(text, wanted)
    linked, kept = linked_data(text, source.says("product") if source else wanted)
    sources = [one for one in (source, linked) if one]
    if not any(one.says("product") for one in sources):
        reason, what = ("half_page", "it breaks off") if breaks_off(text) else ("no_product", "no state with a product")
        raise _not_ours(reason, url, what)
    try:
        shown = _found(sources, url, address=url)
    except RowError as wrong:
        raise PageError(wrong.reason, f"{url}: {wrong}") from None
    return Page(generation=sources[0].name, found=(shown,), state=state or kept)


def _not_ours(reason: str, url: str, what: str) -> PageError:
    mend = f"The shop changed its page, or sent another one. Save it with scripts/save_page.py, then mend {__name__}"
    return PageError(reason, f"{url}: {what}. {mend}")


def _found(sources: list[Source], url: str, *, address: str) -> Found:
    """The product that sources tell of together, the first of them first. Raises RowError where that is none."""
    fields = said_by(sources)
    pictures, place = pictures_of(sources, url)
    if address:
        fields["url"] = [(who, address) for who, _ in fields["url"]]
    shown = found(fields, shop=SHOP, pictures=pictures)
    return replace(shown, answered=shown.answered | {"pictures": place}) if place else shown


def _items(answer: Any, url: str) -> tuple[str, list[Any]]:
    """The items of the newest layout that has any, and its name; none where a layout says that there is none."""
    lists = [(name, found) for name, path in LISTINGS if isinstance(found := at(answer, *path), list)]
    if not lists:
        raise _not_ours("no_items", url, f"no list of products at {', '.join('.'.join(path) for _, path in LISTINGS)}")
    return next((one for one in lists if one[1]), lists[0])


def _is_advert(item: Any) -> bool:
    return isinstance(item, dict) and item.get("id") in (None, "", 0)


def _label_of(item: Any) -> str:
    return said(item, "id") or repr(item)[:SHOWN]


def _listed(item: Any, generation: str, url: str) -> Found:
    if not said(item, "id"):
        raise RowError("no_id", "it has no id that is a number or a text")
    views = at(item, "images")
    named = (f"images.{view}" for view in (views if isinstance(views, dict) else {}) if view != "all")
    source = Source(name=generation, places=ITEM | {"pictures": ("images.all[]", *named)}, node=item)
    address = web_address(absolute(source.says("url"), url))
    shown = _found([source], url, address=address)
    return replace(shown, page=address, page_key=shown.product.product if address else "")


def _next(url: str, pages: Any) -> str:
    """The same address with the next page, by the number that was asked for; "" where the answer tells of no further."""
    asked = _PAGE.search(url)
    number = (count(asked[2]) if asked else None) or count(pages, "index") or 1
    if number >= _last(pages):
        return ""
    if asked:
        return f"{url[: asked.start()]}{asked[1]}{number + 1}{url[asked.end() :]}"
    address, _, anchor = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}page={number + 1}{'#' * bool(anchor)}{anchor}"


def _last(pages: Any) -> int:
    total, view = count(pages, "totalItems"), count(pages, "view")
    counted = -(-total // view) if total and view else 0
    return count(pages, "totalPages") or counted
