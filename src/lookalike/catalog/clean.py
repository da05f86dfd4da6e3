"""What a source wrote, as typed facts: ratings, category paths, addresses, names, and from them a Product. Pure.

In: the fields of a row, as they came. Out: a Product without views, or what the row says of its view. Never: reads a
file, guesses what is not said, or loses what it could not read: that stays among the attributes, as "price_as_given"
for instance.
"""

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lookalike.catalog.prices import iso_currency, price
from lookalike.catalog.product import Product, RowError

PRODUCT_FIELDS: Final = (
    *("product", "style", "brand", "category", "color", "name", "price", "currency", "rating", "stock", "url"),
)
IDS: Final = ("product", "style")
ROLES: Final = ("query", "gallery", "both")
SPLITS: Final = ("train", "val", "test")
VIEW_FIELDS: Final = ("view", "role", "split")
LONGEST_RATING = 100  # characters
LONGEST_ID = 200  # characters
LONGEST_COUNT = 9  # digits
MOST_ESCAPES = 4  # times that a text may have been escaped; "&amp;amp;lt;" was, three times

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, zero width, half a sign, line and paragraph ends
_NOTHING: Final = frozenset({"", "-", "--", "none", "null", "nan", "n/a", "na"})  # how sources write "no figure"
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_RATING = re.compile(
    rf"(?:rated )?{_NUMBER} ?(?:(%)|(?:out of|of|/) ?{_NUMBER})?(?: ?stars?)?\.?(?: ?\(.*\))?", re.IGNORECASE
)
_CATEGORY_SEPARATORS: Final = (r"\s*[>»›→]+\s*", r"\s*\|\s*", r"\s+/\s+", r"\s*/\s*", r"\s+[-–—]\s+")
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]\w*);")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--[^<>]*-->")


@dataclass(frozen=True, kw_only=True)
class ViewFields:
    """What a row says of its picture, checked."""

    view: str
    role: str  # query | gallery | both
    split: str  # train | val | test, or ""


def read_fields(fields: Mapping[str, str], *, shop: str = "") -> Product:
    """The product that a row tells of, without views. Every other column that says something becomes an attribute.

    Of a category path the root is the category, and the whole is the attribute `category_path`. Raises
    RowError("no_product") where the row names no product, and RowError("bad_id") where nobody could tell which it names.
    """
    told = {name: text(fields.get(name, "")) for name in PRODUCT_FIELDS}
    told |= {name: identifier(name, fields.get(name, "")) for name in IDS}
    if not told["product"]:
        raise RowError("no_product", "names no product; fill in `product`, as two pictures of one product are twins")
    cost = price(told["price"], told["currency"])
    stars = rating(told["rating"])
    root, path = category_root(told["category"])
    pieces = stock(told["stock"])
    url = web_address(fields.get("url", ""))
    unread = {
        "price": cost.amount is None and told["price"].casefold() not in _NOTHING,
        "currency": not cost.currency and not iso_currency(told["currency"]),
        "rating": stars is None and told["rating"].casefold() not in _NOTHING,
        "stock": pieces is None and told["stock"].casefold() not in _NOTHING,
        "url": not url,
    }
    return Product(
        shop=shop,
        product=told["product"],
        style=told["style"],
        brand=told["brand"],
        category=root,
        color=told["color"],
        name=told["name"],
        price=cost.amount,
        currency=cost.currency,
        rating=stars,
        stock=pieces,
        url=url,
        attributes=_others(fields) | _as_given(fields, unread) | ({"category_path": path} if path != root else {}),
    )


def _others(fields: Mapping[str, str]) -> dict[str, str]:
    cleaned = ((text(name), text(value)) for name, value in fields.items() if name not in PRODUCT_FIELDS + VIEW_FIELDS)
    return {name: value for name, value in cleaned if name and value}


def _as_given(fields: Mapping[str, str], unread: Mapping[str, bool]) -> dict[str, str]:
    given = {name: fields.get(name, "") for name, failed in unread.items() if failed}
    return {f"{name}_as_given": value for name, value in given.items() if value.strip()}


def read_view(fields: Mapping[str, str]) -> ViewFields:
    """What a row says of its picture. Raises RowError where `split` or `role` is none of the words there are."""
    return ViewFields(
        view=text(fields.get("view", "")),
        role=_one_of(ROLES, "role", fields) or "both",
        split=_one_of(SPLITS, "split", fields),
    )


def _one_of(words: tuple[str, ...], name: str, fields: Mapping[str, str]) -> str:
    given = text(fields.get(name, ""))
    if given and given.casefold() not in words:
        raise RowError(f"bad_{name}", f"its {name} is {given!r}; give one of {', '.join(words)}, or leave it empty")
    return given.casefold()


def rating(given: str) -> float | None:
    """A rating of 5 ("4.5", "4,5", "Rated 3 out of 5", "8/10", "80%"); None where there is none on a known scale."""
    found = _RATING.fullmatch(text(given)) if len(given) <= LONGEST_RATING else None
    if found is None:
        return None
    value = float(found[1].replace(",", "."))
    best = 100.0 if found[2] else float((found[3] or "5").replace(",", "."))
    return 5 * value / best if 0 < best >= value else None


def stock(given: str) -> int | None:
    """How many pieces are on hand ("12", "0"); None for anything but a plain count."""
    return int(given) if given.isascii() and given.isdigit() and len(given) <= LONGEST_COUNT else None


def category_root(given: str) -> tuple[str, str]:
    """The first step of a category path, and the whole path written with " > ".

    The strongest separator there is divides: ">" and its kin, then "|", a spaced "/", any "/", and last a spaced "-".
    So "Shirts/Tops > Silk" has the root "Shirts/Tops", and the hyphen of "T-Shirts" never divides.
    """
    path = text(given).strip('[]" ')
    for separator in _CATEGORY_SEPARATORS:
        if re.search(separator, path):
            steps = [step for step in re.split(separator, path) if step]
            return (steps or [""])[0], " > ".join(steps)
    return path, path


def web_address(given: str) -> str:
    """An http or https address, fit for a link; "" for anything else."""
    address = given.strip().replace("&amp;", "&")
    if not address.isprintable() or " " in address:
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:  # "http://[": a host that is none
        return ""
    return address if parts.scheme in {"http", "https"} and parts.hostname else ""


def text(given: str) -> str:
    """One line of plain text, NFC: entities resolved (even escaped twice), no tags, nothing unseen, single spaces."""
    for _ in range(MOST_ESCAPES):
        before, given = given, _cleaned(given)
        if given == before:
            break
    return given


def identifier(name: str, given: str) -> str:
    """An id is a name, not prose: what it says is kept, without white space around it, and NFC.

    Raises RowError("bad_id") for one that holds signs nobody sees, as two such products would look like one, or is too
    long. name: of the field, for the message.
    """
    kept = unicodedata.normalize("NFC", given.strip())
    if any(unicodedata.category(sign) in _UNSEEN for sign in kept):
        raise RowError("bad_id", f"its {name} is {kept[:LONGEST_ID]!r}, with signs that nobody sees; take them out")
    if len(kept) > LONGEST_ID:
        text = f"its {name} has {len(kept)} characters ({kept[:20]!r} ...); give one of {LONGEST_ID} at most"
        raise RowError("bad_id", text)
    return kept


def _cleaned(given: str) -> str:
    resolved = _ENTITY.sub(lambda entity: html.unescape(entity[0]), given)
    line = " ".join(_TAG.sub(" ", resolved).split())
    if not line.isprintable():
        line = "".join(sign for sign in line if unicodedata.category(sign) not in {"Cc", "Cf", "Cs"})
    return unicodedata.normalize("NFC", line).strip()
