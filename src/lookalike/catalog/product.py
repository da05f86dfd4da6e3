"""The words that every room shares: a product, its views, and the row of a source they come from.

In: nothing. Out: frozen records. Never: reads, decodes or stores anything.

product: one colorway of one style, what a shopper buys. style: all colorways of one model. view: one photograph of a product.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal


class RowError(ValueError):
    """This one row cannot be taken in; the rest can. `reason` is a short name to count by, the text says it in full."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture of one product as a source tells it. Nothing is checked yet, every field is the text that came."""

    where: str  # for messages: "catalog.csv, row 17"
    picture: str  # how the source names the picture: a path, a URL; "" where it names none
    read: Callable[[], bytes]  # brings the picture's bytes, or raises RowError
    fields: dict[str, str]  # product, style, brand ... as they came; names the catalog does not know become attributes


@dataclass(frozen=True, kw_only=True)
class View:
    """One photograph of a product, checked: its bytes decode, and are kept under their sha256."""

    view: str = ""  # "outside", "pair" ...; "" where the source does not say
    role: str = "both"  # query | gallery | both
    split: str = ""  # train | val | test as the source gave it, else ""
    sha256: str
    format: str  # JPEG, PNG ...
    width: int
    height: int
    size: int  # bytes
    fingerprint: bytes  # opaque; two are compared by catalog.nearness
    source: str  # where the row was


@dataclass(frozen=True, kw_only=True)
class Product:
    """One colorway of one style. What the source does not say is "" or None, never a guess."""

    shop: str = ""
    product: str  # unique within its shop
    style: str = ""
    brand: str = ""
    category: str = ""
    color: str = ""
    name: str = ""
    price: Decimal | None = None
    currency: str = ""  # ISO 4217
    rating: float | None = None  # of 5
    stock: int | None = None  # pieces that the shop has on hand; 0 is sold out
    url: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    views: tuple[View, ...] = ()

    @property
    def key(self) -> str:
        """The product's name among all shops."""
        return f"{self.shop}:{self.product}" if self.shop else self.product


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A row that was not taken in, and why."""

    where: str
    picture: str
    product: str
    reason: str
    text: str
