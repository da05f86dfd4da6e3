"""The items of a product feed, under the names of Google's specification, in whichever form the file has.

In: a file of RSS, Atom, CSV, TSV, JSON or one JSON object a line; its content tells which. Out: Items. Never: loses
an item (a broken one says what is wrong with it), or holds more of the file than a few items; only JSON that is one
array is read whole.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from lookalike.catalog.adapters import delimited, feed_xml, local
from lookalike.settings import DataError

FORMS: Final = "an RSS or Atom file, a CSV or TSV file with a header, or JSON with one object a line"
LARGEST_ARRAY: Final = 64 * 2**20  # bytes of a JSON file that is one array
PACKED: Final = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # gzip zip bzip2 xz zstd
RENAMED: Final = {"offer_id": "id", "additional_image_links": "additional_image_link", "product_types": "product_type"}
NOT_TEXT: Final = ("not_text", "holds bytes that are not UTF-8; save the feed as UTF-8")

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_UNKEPT = re.compile("[\0\ud800-\udfff]")

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


def read_items(source: Path) -> Iterator[Item]:
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
    if start.startswith(PACKED):
        raise DataError(f"{source}: is packed. Unpack it and give the file inside: {FORMS}.")
    sign = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1]  # past byte order marks, in any UTF
    return {b"<": _xml, b"{": _json_lines, b"[": _json_array}.get(sign, _table)


def _facts(told: Iterable[tuple[str, str]]) -> Facts:
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


# XML


def _xml(source: Path) -> Iterator[Item]:
    for entry in feed_xml.entries(source):
        facts: Facts = {}
        for told in entry.told:  # a name of a higher rank replaces all that a lower one says
            facts |= _facts(told)
        too_long = ("malformed", f"is longer than {feed_xml.LONGEST_ENTRY} characters; shorten its description")
        where = f"{source.name}, item {entry.number} (line {entry.line})"
        yield Item(where=where, facts=facts, wrong=too_long if entry.too_long else None)


# CSV and TSV


def _table(source: Path) -> Iterator[Item]:
    lines = local.lines(source)
    header = next(lines, "")
    delimiter = delimited.delimiter_of(header)
    names = [_name(cell) for cell in delimited.values_of(header, delimiter)]
    if "id" not in names:
        hint = local.did_you_mean("id", names)
        raise DataError(
            f"{source}: no column 'id' on its first line, {header.strip()[:80]!r}.{hint} A feed is {FORMS}."
        )
    for record in delimited.records(lines, delimiter, width=len(names)):
        told = [(name, value) for name, value in zip(names, record.values, strict=False) if _is_text(value)]
        yield Item(where=f"{source.name}, line {record.line}", facts=_facts(told), wrong=_wrong(record))


def _wrong(record: delimited.Record) -> tuple[str, str] | None:
    if record.wrong:
        return "malformed", record.wrong
    return None if all(map(_is_text, record.values)) else NOT_TEXT


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
    return Item(where=where, facts=_facts(good), wrong=None if len(good) == len(pairs) else NOT_TEXT)


def _texts(value: Any) -> list[str]:
    return [_text(one) for one in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str:
    """A price may be {"value": "15.00", "currency": "USD"}; of other objects, and lists in lists, nothing is told."""
    if isinstance(value, dict) and isinstance(value.get("value"), str):
        return f"{value['value']} {value.get('currency', '')}"
    if isinstance(value, bool):
        return json.dumps(value)
    return value if isinstance(value, str) else ""
