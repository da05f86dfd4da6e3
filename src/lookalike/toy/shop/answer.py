"""What a shop answers, and what a face is: the clothes that one shop's pages wore in one of their years.

In: nothing. Out: frozen records. Never: opens a socket.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lookalike.toy.shop.stock import Item, Stock

HTML = "text/html; charset=utf-8"
Kind = Literal["listing", "product", "picture", ""]  # "" is anything else: robots.txt, an error page
Answering = Callable[[Stock, str, Mapping[str, str], str], "Answer | None"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One page, or one picture, as it goes to whoever asked."""

    status: int = 200
    content_type: str = HTML
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    kind: Kind = ""  # what it is, for the faults that spoil only some; a face says it of its listings and its products


@dataclass(frozen=True, kw_only=True)
class Face:
    """One layout. Pure functions all: the same question brings the same answer.

    A path comes without its query and with its percent signs decoded; `site` is what absolute links begin with, such as
    "http://127.0.0.1:8090". None is "there is no such page".
    """

    answer: Answering  # stock, path, query, site -> a page
    robots: Callable[[str], str]  # site -> robots.txt
    start: Callable[[Stock], str]  # path and query of the first page of the listing
    photo: Callable[[str], tuple[str, int | None] | None]  # path -> the photo's id and the side wanted (None: original)
    known_as: Callable[[Item], tuple[str, str]]  # the ids of product and style, as this shop names them
    view_of: Callable[[str], str]  # a view as drawn -> its name, as lookalike knows it
    tells: frozenset[str]  # which of FACTS listing and product page tell of a product, taken together
    odd: Answering | None = None  # as `answer`, but each listing holds one item more, which cannot be read


FACTS = frozenset(
    {*("style", "brand", "category", "color", "name", "price", "currency", "rating", "stock", "list_price", "views")}
)
