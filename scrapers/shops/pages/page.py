"""The words that all pages share: what a page tells, and why one could not be read.

In: nothing. Out: frozen records, errors, and a Page as plain data. Never: asks the network, or knows a shop.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from lookalike.catalog.product import Product, RowError


class PageError(RowError):
    """This page is not one that its reader was written for. `reason` is a short name to count by."""


class BlockedError(PageError):
    """The shop does not want to be read just now: a challenge, a refusal, a body far too short. The crawl stops."""


class GoneError(PageError):
    """The shop says that there is no such page any more."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that a page links to: the original, without what the CDN was asked to make of it."""

    url: str
    view: str = ""  # "main", "pair", "left" ...; what is not known comes as the shop writes it, in lower case


@dataclass(frozen=True, kw_only=True)
class Found:
    """A product as one page tells it."""

    product: Product  # without views: no picture has been fetched
    pictures: tuple[Picture, ...] = ()  # all of them where `page` is "", else those that a listing happens to show
    answered: dict[str, str] = field(
        default_factory=dict
    )  # field -> the candidate that told it: "state: styles[].price"
    page: str = ""  # the address that tells the rest of it; "" where this is all
    page_key: str = ""  # equal where two addresses tell the same: such a page is asked for once


@dataclass(frozen=True, kw_only=True)
class Odd:
    """An item of a page that could not be read; the others could."""

    item: str  # what can be said of it: an id, a label
    reason: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one page tells."""

    generation: str  # which layout it has: "state", "aria", "listing_items" ...
    found: tuple[Found, ...]
    odd: tuple[Odd, ...] = ()
    state: str = ""  # what was read, as it came: the JSON text, or the whole page where there is none
    total: int | None = None  # of a listing: products on all its pages, where it says so
    next: str = ""  # of a listing: the address of its next page; "" at the last


def as_plain(page: Page) -> Any:
    """A page as JSON has it, without its state, which is in the text, and without what is empty."""
    return _filled(json.loads(json.dumps(asdict(page) | {"state": ""}, default=str)))


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: full for name, one in value.items() if (full := _filled(one)) not in ("", None, [], {})}
    return [_filled(one) for one in value] if isinstance(value, list) else value
