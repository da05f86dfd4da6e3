"""The toy shop in its own clothes: plain pages that tell everything, with as little round it as a browser needs.

In: the shelf and a path. Out: pages. Never: remembers, or draws.

A listing has `ul.products a.product`, `link[rel=next]` and `meta[name=product-count]`; a product page has `dl.facts` and one
`figure[data-view]` for each photograph.
"""

import re
from collections.abc import Mapping
from html import escape

from lookalike.toy.shop.answer import FACTS, Answer, Face, Kind
from lookalike.toy.shop.faces.page import money
from lookalike.toy.shop.stock import Item, Photo, Stock

LISTING = "/shoes-and-bags"
THUMBNAIL = 160  # pixels of a side
ODD = '<li><a class="product">coming soon</a></li>'  # leads nowhere, so there is nothing to read
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-weight:600}ul.products{display:grid;grid-template-columns:repeat(auto-fill,minmax(10rem,1fr));gap:1.5rem;"
    "list-style:none;padding:0}ul.products img{display:block;width:100%}a{color:inherit}dl.facts{display:grid;"
    "grid-template-columns:8rem 1fr}dt{color:#777}dd{margin:0}figure{display:inline-block;margin:0 1rem 1rem 0}"
    "figcaption{color:#777}nav{display:flex;gap:1rem;margin:2rem 0}"
)


def answer(stock: Stock, path: str, query: Mapping[str, str], site: str) -> Answer | None:
    """A page of the listing, or a product's."""
    if path == LISTING:
        return _listing(stock, query.get("page", "0"), site)
    item = stock.by_product.get(path.removeprefix("/p/")) if path.startswith("/p/") else None
    return _page("product", item.name, _links("canonical", f"{site}{path}"), _product(item)) if item else None


def odd(stock: Stock, path: str, query: Mapping[str, str], site: str) -> Answer | None:
    """As `answer`, but each listing ends with an item that leads nowhere."""
    return _listing(stock, query.get("page", "0"), site, more=ODD) if path == LISTING else None


def robots(_site: str) -> str:
    """All may be read but the search."""
    return "User-agent: *\nDisallow: /search\n"


def start(_stock: Stock) -> str:
    """The first page of the listing."""
    return f"{LISTING}?page=0"


def photo(path: str) -> tuple[str, int | None] | None:
    """/images/<id>.jpg, and /images/<id>._SX160_.jpg where it shall be smaller."""
    found = re.fullmatch(r"/images/([A-Za-z0-9+]+)(?:\._SX(\d{1,4})_)?\.jpg", path)
    return (found[1], int(found[2]) if found[2] else None) if found else None


def known_as(item: Item) -> tuple[str, str]:
    """This shop calls things as they are drawn."""
    return item.product, item.style


def view_of(drawn: str) -> str:
    """And its views."""
    return drawn


def facts(item: Item) -> dict[str, str]:
    """What a product page tells, where there is something to tell."""
    told = {
        "product": item.product,
        "style": item.style,
        "brand": item.brand,
        "category": item.category,
        "color": item.color,
        "name": item.name,
        "price": money(item.price, item.currency),
        "currency": item.currency,
        "rating": item.rating,
        "stock": str(item.stock),
        "list_price": money(item.list_price, item.currency) if item.list_price else "",
    }
    return {name: value for name, value in told.items() if value}


def _listing(stock: Stock, asked: str, site: str, *, more: str = "") -> Answer | None:
    page, last = _number(asked), max(0, (len(stock.items) - 1) // stock.per_page)
    if page is None or page > last:
        return None
    shown = stock.items[page * stock.per_page : (page + 1) * stock.per_page]
    following = f"{LISTING}?page={page + 1}" if page < last else ""
    head = f'<meta name="product-count" content="{len(stock.items)}">' + _links(
        "canonical", f"{site}{LISTING}?page={page}"
    )
    head += _links("next", f"{site}{following}") if following else ""
    steps = [("earlier", f"{LISTING}?page={page - 1}")] if page else []
    steps += [("more", following)] if following else []
    turn = "".join(f'<a href="{href}">{word}</a>' for word, href in steps)
    every = "".join(_entry(item) for item in shown) + more
    return _page("listing", "Shoes and bags", head, f'<ul class="products">{every}</ul><nav>{turn}</nav>')


def _number(asked: str) -> int | None:
    return int(asked) if re.fullmatch("[0-9]{1,6}", asked) else None


def _entry(item: Item) -> str:
    link = f'<a class="product" href="/p/{escape(item.product)}">{escape(item.name)}</a>'
    return f"<li>{_img(item.photos[0], f'._SX{THUMBNAIL}_')}{link}</li>" if item.photos else f"<li>{link}</li>"


def _product(item: Item) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(item).items())
    views = "".join(_figure(one) for one in item.photos)
    return f'<dl class="facts">{rows}</dl>{views}<nav><a href="{LISTING}">all shoes and bags</a></nav>'


def _figure(one: Photo) -> str:
    view = escape(one.view)
    return f'<figure data-view="{view}">{_img(one)}<figcaption>{view}</figcaption></figure>'


def _img(one: Photo, modifier: str = "") -> str:
    return f'<img src="/images/{escape(one.id)}{modifier}.jpg" alt="" loading="lazy">'


def _links(rel: str, href: str) -> str:
    return f'<link rel="{rel}" href="{escape(href)}">'


def _page(kind: Kind, title: str, head: str, body: str) -> Answer:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Toy shop</title>{head}'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )
    return Answer(body=text.encode(), kind=kind)


FACE = Face(
    answer=answer,
    robots=robots,
    start=start,
    photo=photo,
    known_as=known_as,
    view_of=view_of,
    tells=FACTS,
    odd=odd,
)
