"""A table of pictures and what is known of them: one row of a text file, one `Row`.

In: a file of values apart by commas, semicolons, tabs or bars, with the columns `image` (a path relative to the file)
and `product`, and any others. Out: Rows. Never: reads a picture outside the file's folder, loses a broken row (it
comes as a Row whose read raises), or reads a picture before it is asked to.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from lookalike.catalog import clean
from lookalike.catalog.adapters import delimited, local
from lookalike.catalog.product import Row
from lookalike.settings import DataError

NEEDED: Final = ("image", "product")
KNOWN: Final = (*NEEDED, *clean.PRODUCT_FIELDS[1:], "view", "split", "role")
NOT_TEXT: Final = "holds bytes that are not UTF-8; save the file so, or say what it is (adapter.encoding=cp1252 ...)"


def rows(source: Path, *, delimiter: str = "", encoding: str = "") -> Iterator[Row]:
    """The rows of a table. `delimiter` and `encoding` are found out where not given."""
    local.a_file(source, "a table with the columns image and product")
    if len(delimiter) > 1 or delimiter in {'"', "\r", "\n"}:
        raise DataError(f"delimiter is {delimiter!r}; give one character, or leave it out to have it found.")
    lines = local.lines(source, encoding=encoding)
    first = next(lines, "")
    delimiter = delimiter or delimited.delimiter_of(first)
    header = _header(source, delimited.values_of(first, delimiter))
    found = False
    for record in delimited.records(lines, delimiter, width=len(header)):
        found = True
        yield _row(source, header, record)
    if not found:
        raise DataError(f"{source}: has a header and no rows; add a row for each picture.")


def _header(source: Path, cells: list[str]) -> list[str]:
    """The names of the columns; a DataError where a needed one is missing or two are alike."""
    names = [_column(cell, place) for place, cell in enumerate(cells, start=1)]
    there = ", ".join(names)[:500] or "none"
    missing = [needed for needed in NEEDED if needed not in names]
    if missing:
        others = [name for name in names if name not in KNOWN]
        wanted = " ".join(f"There is no column {one!r}.{local.did_you_mean(one, others)}" for one in missing)
        raise DataError(f"{source}: {wanted} (line 1 names {there}) Rename columns to {' and '.join(missing)}.")
    twice = ", ".join(sorted({repr(name) for name in names if names.count(name) > 1}))
    if twice:
        raise DataError(f"{source}: more than one column {twice} (line 1 names {there}); rename or drop the others.")
    return names


def _column(cell: str, place: int) -> str:
    """Known columns are known in any case; what has no name is called by its place."""
    name = clean.text(cell)
    return name.lower() if name.lower() in KNOWN else name or f"column {place}"


def _row(source: Path, header: list[str], record: delimited.Record) -> Row:
    fields = dict(zip(header, map(local.shown, record.values), strict=False))
    picture = fields.pop("image", "").strip()
    read: Callable[[], bytes] = partial(local.picture, source.parent, picture)
    if record.wrong:
        read = local.refuse("malformed", record.wrong)
    elif not all(map(local.legible, record.values)):
        read = local.refuse("not_text", NOT_TEXT)
    return Row(where=f"{source.name}, line {record.line}", picture=picture, read=read, fields=fields)
