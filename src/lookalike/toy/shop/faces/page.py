"""What the pages of both shops are written with: templates, data inside a script, prices as text, pages of a listing.

In: plain data. Out: text that is escaped for where it stands. Never: knows a shop.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lookalike.toy.shop.stock import Item, Stock

# What may not stand inside a script as it is: "<" could close it, the other two end a line of JavaScript.
_ESCAPED = {ord("<"): "\\u003c", 0x2028: "\\u2028", 0x2029: "\\u2029"}


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a listing."""

    items: tuple[Item, ...]
    place: int  # from 0
    count: int  # pages in all
    total: int  # items in all
    per_page: int
    site: str
    odd: bool  # whether it holds one item more, which cannot be read

    @property
    def is_last(self) -> bool:
        """Whether no page follows."""
        return self.place + 1 == self.count


def page(stock: Stock, asked: str, site: str, *, first: int, odd: bool) -> Page | None:
    """The page with the number `asked`, where pages are counted from `first`; None if there is none of that number."""
    count = max(1, -(-len(stock.items) // stock.per_page))
    place = int(asked) - first if asked.isdecimal() and len(asked) < 9 else -1
    if not 0 <= place < count:
        return None
    items = stock.items[place * stock.per_page :][: stock.per_page]
    total, per_page = len(stock.items), stock.per_page
    return Page(items=items, place=place, count=count, total=total, per_page=per_page, site=site, odd=odd)


def html(template: str, **told: Any) -> str:
    """A template of this folder, filled in; text is escaped, `Markup` stays what it is."""
    return _templates().get_template(template).render(told)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data(value: Any) -> Markup:
    """Data as JSON for inside a <script>: no text in it can close the script."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(written.translate(_ESCAPED))  # noqa: S704 - escaped in the line above, for a script and not for HTML


def quoted(value: Any) -> Markup:
    """Data as JSON inside a string of JSON: escaped twice."""
    return data(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def money(amount: Decimal, currency: str) -> str:
    """A price in the notation of its currency: "$1,495.00", "£1,200.00", "1.200,00 €"."""
    if currency == "EUR":
        return f"{amount:,.2f}".translate(str.maketrans(",.", ".,")) + " €"
    return {"USD": "$", "GBP": "£"}[currency] + f"{amount:,.2f}"


def number(amount: Decimal) -> int | float:
    """A price as JavaScript writes it: 1200, 124.95."""
    return int(amount) if amount == int(amount) else float(amount)


def percent_off(item: Item) -> int:
    """How much less it costs than before."""
    return round(100 * (1 - item.price / item.list_price)) if item.list_price else 0


def pieces(item: Item, sizes: tuple[str, ...]) -> list[tuple[str, int]]:
    """The pieces on hand, shared out among the sizes; their sum is the item's stock."""
    each, over = divmod(item.stock, len(sizes))
    return [(size, each + (place < over)) for place, size in enumerate(sizes)]
