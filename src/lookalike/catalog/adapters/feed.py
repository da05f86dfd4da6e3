"""A product feed as shops write it for Google Merchant Center, and the pictures that it links to.

In: a file of RSS, Atom, CSV, TSV, JSON or one JSON object a line. Out: Rows, one a picture. Never: holds more of the
file than a few items and their ids, fetches outside the rules of `catalog.fetch`, reads a local picture outside the
feed's folder, or loses an item (a broken one is a Row whose read raises).

What the feed calls        becomes
item_group_id              style
title                      name
product_type               category (else google_product_category), the whole path as it came
sale_price                 price, and the `price` beside it becomes `list_price`
link                       url
image_link                 a picture with the view ""
additional_image_link      up to ten pictures with the views additional_01, additional_02 ...
everything else            an attribute under its own name

A feed lists whatever has its own barcode, so a boot comes once for each size. With `one_product_per="colorway"` the
items of one item_group_id and color are one product, named "<item_group_id>/<color>"; an item without a group stands
alone. Where such items follow each other they are told as one: `id`, `gtin`, `mpn` and `size` list what each of them
says, it is in stock if one of them is, and everything else is the first one's.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from lookalike.catalog.adapters import local
from lookalike.catalog.adapters.feed_items import FORMS, Item, read_items
from lookalike.catalog.fetch import FetchRules, fetch
from lookalike.catalog.images import LIMITS
from lookalike.catalog.product import Row
from lookalike.settings import ConfigError, DataError

ADDITIONAL: Final = 10  # pictures beside the first: as many as the specification allows
TOGETHER: Final = 200  # items told as one product at most, so that a feed cannot make us collect it whole
PER_SIZE: Final = ("id", "gtin", "mpn", "size")
BECOMES: Final = {"item_group_id": "style", "title": "name", "link": "url", "product_type": "category"}
PICTURES: Final = ("image_link", "additional_image_link")

_BETWEEN_ADDRESSES = re.compile(r"\s*,\s*(?=https?://)")  # a comma inside an address divides nothing
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def rows(
    source: Path,
    *,
    one_product_per: Literal["colorway", "item"] = "colorway",
    hosts: tuple[str, ...] = (),
    allow_private: tuple[str, ...] = (),
    max_seconds: float = 30.0,
    contact: str = "",
) -> Iterator[Row]:
    """The pictures of a feed, in its order. The last four options are the rules by which they are fetched."""
    if one_product_per not in {"colorway", "item"}:
        raise ConfigError(f"one_product_per is {one_product_per!r}; give colorway, or item for a product each size.")
    rules = FetchRules(
        hosts=tuple(hosts),
        allow_private=tuple(allow_private),
        max_bytes=LIMITS.bytes,
        max_seconds=max_seconds,
        contact=contact,
    )
    bring = partial(_bring, source.parent, rules)
    name = partial(_product, by_colorway=one_product_per == "colorway")
    local.a_file(source, f"a product feed: {FORMS}")
    for alike in _together(_each_once(read_items(source)), name):
        product = name(alike[0])
        yield from _rows(alike, product, bring) if product else map(_wrong_row, alike)


def _bring(folder: Path, rules: FetchRules, picture: str) -> bytes:
    return fetch(picture, rules=rules).body if _SCHEME.match(picture) else local.picture(folder, picture)


def _each_once(items: Iterable[Item]) -> Iterator[Item]:
    """Items without an id, or with one that was there before, are wrong: strangers of one name would pass for twins."""
    seen: set[str] = set()
    for item in items:
        name = item.first("id")
        if item.wrong:
            yield item
        elif not name:
            yield replace(item, wrong=("no_product", "the item has no id; give it one of its own"))
        elif name in seen:
            told = f"the id {name!r} was there before, and its first item counts; give each item an id of its own"
            yield replace(item, wrong=("duplicate_id", told))
        else:
            seen.add(name)
            yield item


def _together(items: Iterable[Item], name: Callable[[Item], str]) -> Iterator[list[Item]]:
    """Items of one name that follow each other. Those before a break in the file still come."""
    alike: list[Item] = []
    try:
        for item in items:
            if alike and (name(item) != name(alike[0]) or len(alike) == TOGETHER):
                yield alike
                alike = []
            alike.append(item)
    except DataError:
        if alike:
            yield alike
        raise
    yield alike


def _product(item: Item, *, by_colorway: bool) -> str:
    """The name of the product that an item is of, "" where the item is wrong."""
    if item.wrong:
        return ""
    group, color = item.first("item_group_id"), item.first("color")
    if group and by_colorway:
        return f"{group}/{color}" if color else group
    return item.first("id")


def _wrong_row(item: Item) -> Row:
    fields = {"product": item.first("id"), "name": item.first("title")}
    read = local.refuse(*(item.wrong or ("", "")))
    return Row(where=item.where, picture=item.first("image_link"), read=read, fields=fields)


def _rows(items: list[Item], product: str, bring: Callable[[str], bytes]) -> Iterator[Row]:
    """A row for each picture of a product; a product without one still has its row."""
    fields = {"product": product, **_fields(items)}
    pictures = _pictures(items)
    for picture, (where, view) in pictures.items():
        yield Row(where=where, picture=picture, read=partial(bring, picture), fields={**fields, "view": view})
    if not pictures:
        read = local.refuse("no_picture", "the item has no image_link; give it the address of a picture")
        yield Row(where=items[0].where, picture="", read=read, fields=fields)


def _pictures(items: Iterable[Item]) -> dict[str, tuple[str, str]]:
    """Each picture once (sizes share theirs), with where it was first met and its view."""
    found: dict[str, tuple[str, str]] = {}
    for item in items:
        more = [link for links in item.facts.get("additional_image_link", ()) for link in _links(links)]
        found.setdefault(item.first("image_link"), (item.where, ""))
        for number, link in enumerate(more[:ADDITIONAL], start=1):
            found.setdefault(link, (item.where, f"additional_{number:02}"))
    found.pop("", None)
    return found


def _links(several: str) -> list[str]:
    apart = _BETWEEN_ADDRESSES.split(several) if "://" in several else several.split(",")
    return [link.strip() for link in apart if link.strip()]


def _fields(items: list[Item]) -> dict[str, str]:
    """What the items of one product say, under the catalog's names."""
    first = items[0]
    told = {name: ", ".join(values) for name, values in first.facts.items() if name not in PICTURES}
    told |= {name: ", ".join(_all_values(items, name)) for name in PER_SIZE}
    told["availability"] = _best_availability(items)
    if "sale_price" in told:
        told |= {"price": told.pop("sale_price"), "list_price": told.get("price", "")}
    told |= {ours: first.first(theirs) for theirs, ours in BECOMES.items() if told.pop(theirs, "")}
    told["category"] = told.get("category", "") or first.first("google_product_category")
    return {name: value for name, value in told.items() if value and name != "product"}


def _all_values(items: Iterable[Item], name: str) -> list[str]:
    return list(dict.fromkeys(value for item in items for value in item.facts.get(name, ())))


def _best_availability(items: Iterable[Item]) -> str:
    values = _all_values(items, "availability")
    in_stock = (value for value in values if value.lower().replace(" ", "_") == "in_stock")
    return next(in_stock, values[0] if values else "")
