"""The pages of Zappos, generation by generation.

In: a page of the listing, or an item with its family. Out: whole HTML documents. Never: decides what an address means.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from lookalike.toy.shop.faces import zappos_state
from lookalike.toy.shop.faces.page import Page, data, html, money
from lookalike.toy.shop.faces.zappos_names import CODES, ids, picture, product_path, product_type
from lookalike.toy.shop.stock import Item

Card = dict[str, str]

_STARS: Final = " out of 5 stars"
_ODD: Final[Card] = {
    "label": "Untitled",
    "href": "/p/untitled/product/0/color/0",
    "image": "",
    "alt": "",
    "brand": "",
    "name": "Untitled",
    "price": "",
}


# With a state


def state_listing(page: Page) -> str:
    """A page of the listing with window.__INITIAL_STATE__."""
    return _state_listing("zappos_state.html.j2", page, money)


def state_product(item: Item, family: tuple[Item, ...], site: str) -> str:
    """A product's page with window.__INITIAL_STATE__."""
    return _state_product("zappos_state.html.j2", item, family, site, money)


def next_listing(page: Page) -> str:
    """A page of the sibling site's listing, with __NEXT_DATA__."""
    return _state_listing("zappos_next.html.j2", page, _cents)


def next_product(item: Item, family: tuple[Item, ...], site: str) -> str:
    """A product's page of the sibling site, with __NEXT_DATA__."""
    return _state_product("zappos_next.html.j2", item, family, site, _cents)


def _state_listing(template: str, page: Page, written: zappos_state.Written) -> str:
    return html(
        template,
        title="Women's Boots",
        links={rel: page.site + path for rel, path in zappos_state.links(page).items()},
        cards=[_shown(item, page.site) for item in page.items],
        state=data(zappos_state.listing(page, written)),
    )


def _state_product(
    template: str, item: Item, family: tuple[Item, ...], site: str, written: zappos_state.Written
) -> str:
    return html(
        template,
        title=f"{item.brand} {item.name}",
        links={"canonical": site + product_path(item)},
        cards=[_shown(item, site)],
        state=data(zappos_state.product(item, family, site, written)),
    )


def _cents(amount: Decimal, _currency: str) -> int:
    """The sibling site does not say the currency."""
    return int(amount * 100)


def _shown(item: Item, site: str) -> Card:
    """What somebody who looks at the page sees of the item."""
    return {
        "name": item.name,
        "brand": item.brand,
        "price": money(item.price, item.currency),
        "href": product_path(item),
        "image": picture(item.photos[0].id, site, "AC_SX255"),
        "alt": item.color,
    }


# With labels


def rendered(records: Iterable[Mapping[str, str]], url: str) -> str:
    """A listing of the generation whose links say it all in their labels, from plain records, at the address `url`.

    A record has name brand price color rating href image, all of them text as it is to be shown; rating is "4.5" or
    "4.5 out of 5 stars", and "" where nobody has rated it.
    """
    return _labelled(map(_card, records), {"canonical": url})


def aria_listing(page: Page) -> str:
    """A page of the listing whose links say it all in their labels."""
    cards = [_card(_record(item, page.site)) for item in page.items]
    if page.odd:
        cards.insert(len(cards) // 2, _ODD)
    return _labelled(cards, {rel: page.site + path for rel, path in zappos_state.links(page).items()})


def _labelled(cards: Iterable[Card], links: dict[str, str]) -> str:
    return html("zappos_aria_listing.html.j2", title="Women's Boots", links=links, cards=list(cards))


def _record(item: Item, site: str) -> Card:
    return _shown(item, site) | {"color": item.color, "rating": item.rating}


def _card(record: Mapping[str, str]) -> Card:
    """A record as it is shown, and its label: "{name}. By {brand}. {price}. Style: {color}. Rated {r} out of 5 stars."."""
    rating = record["rating"].removesuffix(_STARS)
    rated = f" Rated {rating}{_STARS}." if rating else ""
    told = f"{record['name']}. By {record['brand']}. {record['price']}. Style: {record['color']}.{rated}"
    return {**record, "label": told, "alt": record["color"]}


def aria_product(item: Item, family: tuple[Item, ...], site: str) -> str:
    """A product's page in microdata."""
    return _plain_product("zappos_aria_product.html.j2", item, family, site)


def oldest_product(item: Item, family: tuple[Item, ...], site: str) -> str:
    """A product's page of the years before: elements with ids, a picture's view in its alternative text."""
    return _plain_product("zappos_oldest_product.html.j2", item, family, site)


def _plain_product(template: str, item: Item, family: tuple[Item, ...], site: str) -> str:
    return html(
        template,
        title=f"{item.brand} {item.name}",
        links={"canonical": site + product_path(item)},
        item=item,
        sku=ids(item)[0],
        type=product_type(item),
        amount=f"{item.price:.2f}",
        price=money(item.price, item.currency),
        before=money(item.list_price, item.currency) if item.list_price else "",
        views=[
            {
                "code": CODES[photo.view],
                "small": picture(photo.id, site, "AC_SR106,78"),
                "large": picture(photo.id, site, "AC_SR700,525"),
                "original": picture(photo.id, site),
            }
            for photo in item.photos
        ],
        colorways=[{"color": one.color, "href": product_path(one), "chosen": one is item} for one in family],
    )
