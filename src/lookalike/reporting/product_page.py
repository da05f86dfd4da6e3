"""A product as one page, or all colorways of a style: pictures of every view, every fact, and what it cost when.

In: products with their presence and history, and a way to their pictures' original bytes. Out: one HTML text that needs
no other file and no network. Never: asks the catalog itself, shows a picture in another way than through the guarded
decoder, or links to anything but a web address.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jinja2
from markupsafe import Markup

from lookalike.catalog.clean import web_address
from lookalike.catalog.presence import Presence
from lookalike.catalog.product import Product, View
from lookalike.catalog.store import PriceSeen, StockSeen
from lookalike.reporting import charts
from lookalike.reporting.catalog_page import money
from lookalike.reporting.charts import Span
from lookalike.reporting.thumbnail import thumbnail

PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("lookalike", "reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
LARGE, SMALL = 480, 240  # pixels of a picture's longer side
MOST_LARGE = 16  # pictures of the page; with more of them each is small
SHOWN_HISTORY = 100


@dataclass(frozen=True, kw_only=True)
class Colorway:
    """A product, since when it is there, and what it cost and had on hand, oldest first."""

    product: Product
    presence: Presence
    prices: Sequence[PriceSeen] = ()
    stocks: Sequence[StockSeen] = ()


def render(
    title: str, where: str, shown: Sequence[Colorway], siblings: Sequence[str], picture: Callable[[str], bytes]
) -> str:
    """Write the page. `siblings`: keys of other colorways that are not on it. `picture` brings original bytes by sha256."""
    side = LARGE if sum(len(one.product.views) for one in shown) <= MOST_LARGE else SMALL
    return PAGES.get_template("product.html.j2").render(
        title=title,
        where=where,
        colorways=[_told(one, side, picture) for one in shown],
        siblings=siblings,
        shown_history=SHOWN_HISTORY,
    )


def facts(one: Colorway) -> dict[str, str]:
    """What is known of a product, by name; what nobody said is left out. The terminal shows the same."""
    product, there = one.product, one.presence
    told = {
        **{name: getattr(product, name) for name in ("shop", "product", "style", "name", "brand", "category", "color")},
        "price": "" if product.price is None else money(product.price, product.currency),
        "rating": "" if product.rating is None else f"{product.rating:g} of 5",
        "stock": _stock(product.stock),
        "views": str(len(product.views)),
        "first seen": f"{there.first_seen:%Y-%m-%d %H:%M} UTC",
        "last seen": f"{there.last_seen:%Y-%m-%d %H:%M} UTC",
        "in its shop": "no longer: it is gone" if there.gone else "yes, when it was last seen",
    }
    return {name: value for name, value in told.items() if value}


def _stock(pieces: int | None) -> str:
    """How many pieces are on hand, in words."""
    if pieces is None:
        return ""
    return f"{pieces:,} on hand" if pieces else "sold out"


def history(one: Colorway) -> list[tuple[str, str, str]]:
    """Since when, which price, which stock; newest first, and empty where nothing else was seen."""
    costs = {seen.seen: money(seen.price, seen.currency) for seen in one.prices}
    counts = {seen.seen: f"{seen.stock:,}" if seen.stock else "sold out" for seen in one.stocks}
    return [
        (f"{at:%Y-%m-%d %H:%M}", costs.get(at, ""), counts.get(at, ""))
        for at in sorted({*costs, *counts}, reverse=True)
    ]


def _told(one: Colorway, side: int, picture: Callable[[str], bytes]) -> dict[str, Any]:
    product = one.product
    return {
        "title": product.name or product.key,
        "color": product.color,
        "gone": one.presence.gone,
        "facts": facts(one),
        "link": web_address(product.url),
        "url": product.url,
        "attributes": sorted(product.attributes.items()),
        "pictures": [_shown(view, thumbnail(view.sha256, side, picture)) for view in product.views],
        "charts": list(_charts(one)),
        "history": history(one),
    }


def _shown(view: View, source: str) -> dict[str, str]:
    about = f"{view.width} x {view.height} {view.format}, {view.size / 1000:,.0f} kB"
    return {"source": source, "view": view.view or "a view", "about": about}


def _charts(one: Colorway) -> Iterator[tuple[str, Markup]]:
    """The price in each of its currencies, as two of them share no axis, and the stock; of each what it is called."""
    until = one.presence.last_seen
    costs = [(seen.seen, float(seen.price), money(seen.price, seen.currency)) for seen in one.prices]
    spans = _spans(costs, until)
    for currency in dict.fromkeys(seen.currency for seen in one.prices):
        title = f"Price in {currency}" if currency else "Price"
        held = [span for span, seen in zip(spans, one.prices, strict=True) if seen.currency == currency]
        yield title, charts.steps(held, title)
    if one.stocks:
        counts = [(seen.seen, float(seen.stock), f"{seen.stock:,}") for seen in one.stocks]
        yield "Pieces on hand", charts.steps(_spans(counts, until), "Pieces on hand")


def _spans(told: Sequence[tuple[datetime, float, str]], until: datetime) -> list[Span]:
    """From when to when each value held: until the next, and the last one until the product was last seen."""
    ends = [*(start for start, _, _ in told[1:]), until]
    return [
        Span(start=start, end=max(start, end), value=value, shown=shown)
        for (start, value, shown), end in zip(told, ends, strict=False)
    ]
