"""The words of a crawl: what it set out to do, the steps it takes, what a step brought, and what came of it all.

In: nothing. Out: frozen records. Never: talks to a database or a shop.

A crawl is *running* until it ends: *published* (the catalog has it), *suspect* (the gate said no), *blocked* (the shop said
no), *failed*, or *abandoned* (a newer one began instead).
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from lookalike.catalog.product import Product, View

Status = Literal["running", "published", "suspect", "blocked", "failed", "abandoned"]
Kind = Literal["listing", "product"]
GONE: Final = "gone"  # the reason of a step whose page, so the shop says, is no more
ROBOTS: Final = "robots"  # the reason of a step whose page robots.txt does not allow


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a crawl sets out to do. Two crawls of equal plans are one, as long as the first is not done."""

    shop: str  # the name in the catalog
    scope: str  # the part of the shop: its start addresses
    complete: bool  # it walks all of its scope, so that what it does not meet there is gone
    permission: str = ""  # what the user states about being allowed to
    settings: dict[str, Any] = field(default_factory=dict)  # plain data, all that decides what is walked


@dataclass(frozen=True, kw_only=True)
class Step:
    """A page to ask for. `key` is equal where two addresses tell the same, and such a page is asked for once."""

    kind: Kind
    key: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A product as one step brought it, with the views whose pictures came."""

    product: Product
    answered: dict[str, str] = field(default_factory=dict)  # field -> the candidate of the page that told it
    page_key: str = ""  # of the step that tells the rest of it; "" where this step told all


@dataclass(frozen=True, kw_only=True)
class PictureSeen:
    """A picture that a step asked for, or knew already."""

    url: str
    product: str  # the product's id in its shop
    view: View | None = None  # None where it did not come
    reason: str = ""  # why not
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """All that a step brought."""

    taken: tuple[Taken, ...] = ()
    pictures: tuple[PictureSeen, ...] = ()
    odd: tuple[tuple[str, str, str], ...] = ()  # items of the page that could not be read: item, reason, text
    more: tuple[Step, ...] = ()  # steps that it found; those known by their key are not taken twice
    generation: str = ""  # the layout of the page
    state: str = ""  # sha256 of what was read, see catalog.pages


@dataclass(frozen=True, kw_only=True)
class Crawl:
    """A crawl as the book has it."""

    number: int
    shop: str
    scope: str
    complete: bool
    permission: str
    status: Status
    started: datetime
    ended: datetime | None
    counts: dict[str, int]  # pages, products, pictures, and what went wrong by reason; after publishing what changed
    notes: tuple[str, ...]  # why it is suspect, blocked or failed


@dataclass(frozen=True, kw_only=True)
class Published:
    """What publishing a crawl did to the catalog."""

    new: int = 0
    changed: int = 0  # anything but price and stock
    same: int = 0
    repriced: int = 0
    restocked: int = 0
    gone: int = 0  # marked as gone now
    back: int = 0  # was gone, and is there again
    views_new: int = 0


@dataclass(frozen=True, kw_only=True)
class PriceChange:
    """A price that is not what it had been."""

    shop: str
    product: str
    name: str
    seen: datetime
    before: Decimal
    after: Decimal
    currency: str
