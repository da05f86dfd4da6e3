"""A product feed as shops write it for Google Merchant Center, and the pictures that it links to.

In: a file of RSS, Atom, CSV, TSV, JSON or one JSON object a line; its content tells which. Out: Rows, one a picture.
Never: holds more of the file than a few items and their ids, expands an entity of an XML file, fetches outside the
rules of `catalog.fetch`, reads a local picture outside the feed's folder, or loses an item (a broken one is a Row whose
read raises).

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

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal
from xml.parsers import expat

from lookalike.catalog.adapters import local
from lookalike.catalog.fetch import FetchRules, fetch
from lookalike.catalog.images import LIMITS
from lookalike.catalog.product import Row, RowError
from lookalike.settings import ConfigError, DataError

FORMS: Final = "an RSS or Atom file, a CSV or TSV file with a header, or JSON with one object a line"
ADDITIONAL: Final = 10  # pictures beside the first: as many as the specification allows
TOGETHER: Final = 200  # items told as one product at most, so that a feed cannot make us collect it whole
LONGEST_ITEM: Final = 2**20  # characters
LONGEST_TAG: Final = 2**20  # bytes
LONGEST_RECORD: Final = 200  # lines of a CSV file
LARGEST_ARRAY: Final = 64 * 2**20  # bytes of a JSON file that is one array: it has to be read whole
DEEPEST: Final = 100  # elements inside each other
PIECE: Final = 2**16  # bytes of XML read at once

GOOGLE: Final = "base.google.com"  # stands in the namespaces of the specification and of a shop's own attributes
ATOM: Final = "http://www.w3.org/2005/Atom"
PER_SIZE: Final = ("id", "gtin", "mpn", "size")
RENAMED: Final = {"offer_id": "id", "additional_image_links": "additional_image_link", "product_types": "product_type"}
BECOMES: Final = {"item_group_id": "style", "title": "name", "link": "url", "product_type": "category"}
PICTURES: Final = ("image_link", "additional_image_link")

_BETWEEN_ADDRESSES = re.compile(r"\s*,\s*(?=https?://)")  # a comma inside an address divides nothing
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_UNKEPT = re.compile("[\0\ud800-\udfff]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

Facts = dict[str, list[str]]  # an attribute may come several times


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item of a feed: what it says, under the specification's names, or why it cannot be used."""

    where: str
    facts: Facts = field(default_factory=dict)
    wrong: tuple[str, str] | None = None  # a short reason and the whole sentence

    def first(self, name: str) -> str:
        """The first value of an attribute, "" where it says nothing."""
        return next(iter(self.facts.get(name, ())), "")


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
    for alike in _together(_each_once(_items(source)), name):
        product = name(alike[0])
        yield from _rows(alike, product, bring) if product else map(_wrong_row, alike)


def _bring(folder: Path, rules: FetchRules, picture: str) -> bytes:
    return fetch(picture, rules=rules).body if _SCHEME.match(picture) else local.picture(folder, picture)


# From items to rows


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
    reason, text = item.wrong or ("", "")
    fields = {"product": item.first("id"), "name": item.first("title")}
    return Row(where=item.where, picture=item.first("image_link"), read=partial(_refuse, reason, text), fields=fields)


def _rows(items: list[Item], product: str, bring: Callable[[str], bytes]) -> Iterator[Row]:
    """A row for each picture of a product; a product without one still has its row."""
    fields = {"product": product, **_fields(items)}
    pictures = _pictures(items)
    for picture, (where, view) in pictures.items():
        yield Row(where=where, picture=picture, read=partial(bring, picture), fields={**fields, "view": view})
    if not pictures:
        told = partial(_refuse, "no_picture", "the item has no image_link")
        yield Row(where=items[0].where, picture="", read=told, fields=fields)


def _refuse(reason: str, text: str) -> bytes:
    raise RowError(reason, text)


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


# From a file to items


def _items(source: Path) -> Iterator[Item]:
    """The items of a feed in any form; a DataError where there is none."""
    found = False
    for item in _reader(source)(source):
        found = True
        yield item
    if not found:
        raise DataError(f"{source}: holds no item. A feed is {FORMS}, and has at least one product.")


def _reader(source: Path) -> Callable[[Path], Iterator[Item]]:
    """What reads the form that a file begins like, whatever its name."""
    with source.open("rb") as file:
        start = file.read(local.PEEK)
    if start.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        raise DataError(f"{source}: is packed. Unpack it and give the file inside: {FORMS}.")
    sign = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1]  # past byte order marks, in any UTF
    return {b"<": _xml_items, b"{": _json_lines, b"[": _json_array}.get(sign, _table_items)


def _said(told: Iterable[tuple[str, str]]) -> Facts:
    """Attributes under their names in the specification, without the empty ones."""
    facts: Facts = {}
    for name, value in told:
        if value.strip():
            facts.setdefault(_name(name), []).append(value.strip())
    return facts


def _name(given: str) -> str:
    """ "Image Link", "g:image_link" and "imageLink" are "image_link"."""
    name = re.sub(r"[\s-]+", "_", _CAMEL.sub("_", given.strip().removeprefix("g:"))).lower()
    return RENAMED.get(name, name)


def _is_text(value: str) -> bool:
    """Whether it can be kept as UTF-8: a byte of another encoding, or half an emoji of JSON, cannot, nor can a zero."""
    return not _UNKEPT.search(value)


NOT_TEXT: Final = ("not_text", "holds bytes that are not UTF-8; save the feed as UTF-8")


# CSV and TSV


def _table_items(source: Path) -> Iterator[Item]:
    lines = local.lines(source)
    header = next(lines, "")
    delimiter = max("\t,;|", key=lambda mark: len(_cells(iter([header]), mark)))
    names = [_name(cell) for cell in _cells(iter([header]), delimiter)]
    if "id" not in names:
        hint = local.did_you_mean("id", names)
        raise DataError(
            f"{source}: no column 'id' on its first line, {header.strip()[:80]!r}.{hint} A feed is {FORMS}."
        )
    for number, cells in _records(lines, delimiter, len(names)):
        told = [(name, cell) for name, cell in zip(names, cells, strict=False) if _is_text(cell)]
        item = Item(where=f"{source.name}, line {number}", facts=_said(told))
        yield replace(item, wrong=_wrong_cells(names, cells))


def _wrong_cells(names: list[str], cells: list[str]) -> tuple[str, str] | None:
    if len(cells) != len(names):
        counts = f"{len(cells)} values where the first line names {len(names)} columns"
        return "malformed", f"has {counts}; quote a value that holds the delimiter or a quote, and keep empty ones"
    return None if all(map(_is_text, cells)) else NOT_TEXT


def _records(lines: Iterator[str], delimiter: str, width: int) -> Iterator[tuple[int, list[str]]]:
    """Records with the line that each begins on.

    One of several lines that does not fit the header was glued together by a quote that nobody closed: only its first
    line is given as it is, the others are read anew.
    """
    ahead: deque[str] = deque()
    number = 2  # line 1 is the header
    while True:
        taken: list[str] = []
        cells = _cells(_noting(ahead, lines, taken), delimiter)
        if not taken:
            return
        if len(cells) != width and len(taken) > 1:
            ahead.extendleft(reversed(taken[1:]))
            cells, taken = taken[:1], taken[:1]
        if "".join(taken).strip():
            yield number, cells
        number += len(taken)


def _cells(lines: Iterator[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except csv.Error:  # a quote in the wrong place, or a value without an end
        return []


def _noting(ahead: deque[str], lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    while len(taken) < LONGEST_RECORD and (line := ahead.popleft() if ahead else next(lines, "")):
        taken.append(line)
        yield line


# JSON

_loads: Final = partial(json.loads, parse_float=str, parse_int=str, parse_constant=str)  # figures stay as they came


def _json_lines(source: Path) -> Iterator[Item]:
    for number, line in enumerate(local.lines(source), start=1):
        if line.strip():
            yield _json_line(f"{source.name}, line {number}", line)


def _json_line(where: str, line: str) -> Item:
    try:
        return _json_item(where, _loads(line))
    except (ValueError, RecursionError) as wrong:
        return Item(where=where, wrong=("malformed", f"is not one JSON object on one line: {wrong}"))


def _json_array(source: Path) -> Iterator[Item]:
    if source.stat().st_size > LARGEST_ARRAY:
        raise DataError(f"{source}: is one JSON array, too large to read whole. Write one object a line (jq -c '.[]').")
    try:
        told = _loads("".join(local.lines(source)))
    except (ValueError, RecursionError) as wrong:
        raise DataError(f"{source}: broken JSON: {wrong}. Mend it, or write one object a line.") from None
    for number, one in enumerate(told, start=1):
        yield _json_item(f"{source.name}, item {number}", one)


def _json_item(where: str, told: Any) -> Item:
    if not isinstance(told, dict):
        return Item(where=where, wrong=("malformed", f"is {ascii(told)[:50]}, not a JSON object"))
    pairs = [(name, text) for name, value in told.items() for text in _texts(value)]
    good = [(name, text) for name, text in pairs if _is_text(name) and _is_text(text)]
    return Item(where=where, facts=_said(good), wrong=None if len(good) == len(pairs) else NOT_TEXT)


def _texts(value: Any) -> list[str]:
    return [_text(one) for one in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str:
    """A price may be {"value": "15.00", "currency": "USD"}; of other objects, and lists in lists, nothing is told."""
    if isinstance(value, dict) and isinstance(value.get("value"), str):
        return f"{value['value']} {value.get('currency', '')}"
    if isinstance(value, bool):
        return json.dumps(value)
    return value if isinstance(value, str) else ""


# XML


def _xml_items(source: Path) -> Iterator[Item]:
    walk = _Walk(source)
    with source.open("rb") as file:
        wrong = walk.feed(file.read(PIECE).lstrip(b" \t\r\n"))  # a blank line before <?xml is a frequent slip
        yield from walk.taken()
        while not wrong and not walk.ended:
            wrong = walk.feed(file.read(PIECE))
            yield from walk.taken()
    if wrong:
        raise DataError(f"{source}: broken XML: {wrong}; {walk.count} items before it were read. Mend the feed there.")


class _Walk:
    """A walk of expat through a feed: the item it is in, and the items that are complete.

    An attribute is an element right inside an item; what is nested deeper (shipping, installments) is skipped. The
    specification's namespace wins over RSS and Atom, they over any other: an entry's own <id> is not the product's.
    """

    def __init__(self, source: Path) -> None:
        self.count = 0
        self.ended = False
        self._source = source
        self._fed = 0
        self._done: list[Item] = []
        self._depth = 0
        self._item_depth = 0  # 0: in no item
        self._line = 0
        self._told: list[tuple[int, str, list[str]]] = []  # rank, name, text in pieces
        self._size = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.CharacterDataHandler = self._text
        self._parser.EndElementHandler = self._end

    def feed(self, piece: bytes) -> str:
        """Walk on; nothing more to feed ends the walk. Answers what is wrong, if anything."""
        self._fed += len(piece)
        self.ended = not piece
        try:
            self._parser.Parse(piece, self.ended)
        except expat.ExpatError as wrong:
            return f"{expat.ErrorString(wrong.code)} on line {wrong.lineno}"
        except (LookupError, ValueError) as wrong:  # what pyexpat says of encodings that it does not know
            return f"{wrong} (save it as UTF-8)"
        if self._fed - max(self._parser.CurrentByteIndex, 0) > LONGEST_TAG:
            return f"a tag or a comment of more than {LONGEST_TAG} bytes on line {self._parser.CurrentLineNumber}"
        return ""

    def taken(self) -> list[Item]:
        """The items that were completed since the last time."""
        done, self._done = self._done, []
        return done

    def _doctype(self, *_: Any) -> None:
        raise DataError(
            f"{self._source}: declares a document type (<!DOCTYPE ...>), which may hide entities that fill the memory "
            "or read files. A feed needs none: take it out. If this is an HTML page, it is no feed."
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise DataError(f"{self._source}: nests elements more than {DEEPEST} deep; a feed has no need to.")
        space, _, local_name = name.rpartition(" ")
        if not self._item_depth and local_name in {"item", "entry"}:
            self._item_depth, self._line = self._depth, self._parser.CurrentLineNumber
            self._told, self._size = [], 0
        elif self._at_attribute() and self._size <= LONGEST_ITEM:
            self._told.append((_rank(space), local_name, []))
            self._size += len(local_name)
            if local_name == "link" and attributes.get("rel", "alternate") == "alternate":
                self._text(attributes.get("href", ""))  # Atom's way

    def _text(self, data: str) -> None:
        if self._at_attribute():
            self._size += len(data)
            if self._size <= LONGEST_ITEM:
                self._told[-1][2].append(data)

    def _end(self, _: str) -> None:
        if self._depth == self._item_depth:
            self._item_depth = 0
            self.count += 1
            self._done.append(self._item())
        self._depth -= 1

    def _at_attribute(self) -> bool:
        return bool(self._item_depth) and self._depth == self._item_depth + 1

    def _item(self) -> Item:
        facts: Facts = {}
        for rank in range(3):
            facts |= _said((name, "".join(text)) for at, name, text in self._told if at == rank)
        too_long = ("malformed", f"is longer than {LONGEST_ITEM} characters")
        where = f"{self._source.name}, item {self.count} (line {self._line})"
        return Item(where=where, facts=facts, wrong=too_long if self._size > LONGEST_ITEM else None)


def _rank(space: str) -> int:
    """How much a namespace's names count: the specification's most."""
    if GOOGLE in space:
        return 2
    return 1 if space in {"", ATOM} else 0
