"""A table of pictures and what is known of them: one row of a text file, one `Row`.

In: a file of values apart by commas, semicolons, tabs or bars, with the columns `image` (a path relative to the file)
and `product`, and any others. Out: Rows. Never: reads a picture outside the file's folder, loses a broken row (it
comes as a Row whose read raises), or reads a picture before it is asked to.
"""

import csv
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from lookalike.catalog import clean
from lookalike.catalog.adapters import local
from lookalike.catalog.product import Row
from lookalike.settings import DataError

NEEDED: Final = ("image", "product")
KNOWN: Final = (*NEEDED, *clean.PRODUCT_FIELDS[1:], "view", "split", "role")
DELIMITERS: Final = ",;\t|"


def rows(source: Path, *, delimiter: str = "", encoding: str = "") -> Iterator[Row]:
    """The rows of a table. `delimiter` and `encoding` are found out where not given."""
    local.a_file(source, "a table with the columns image and product")
    if len(delimiter) > 1 or delimiter in {'"', "\r", "\n"}:
        raise DataError(f"delimiter is {delimiter!r}; give one character, or leave it out to have it found.")
    lines = local.lines(source, encoding=encoding)
    first = next(lines, "")
    mark = delimiter or max(DELIMITERS, key=lambda one: len(_cells(first, one)))
    header = _header(source, _cells(first, mark))
    found = False
    for number, cells, broken in _records(lines, mark, start=2):
        found = True
        yield _row(source, number, header, cells, broken)
    if not found:
        raise DataError(f"{source}: has a header and no rows.")


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line as far as they can be told, whatever its quotes."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a cell too long to be one
        return []


def _header(source: Path, cells: list[str]) -> list[str]:
    """The names of the columns; a DataError where a needed one is missing or two are alike."""
    names = [_column(cell, place) for place, cell in enumerate(cells, start=1)]
    there = ", ".join(names)[:500] or "none"
    for needed in NEEDED:
        if needed not in names:
            hint = local.did_you_mean(needed, [name for name in names if name not in KNOWN])
            raise DataError(f"{source}: no column {needed!r} (line 1 names {there}).{hint} Rename it to {needed!r}.")
    twice = ", ".join(sorted({repr(name) for name in names if names.count(name) > 1}))
    if twice:
        raise DataError(f"{source}: more than one column {twice} (line 1 names {there}); rename or drop the others.")
    return names


def _column(cell: str, place: int) -> str:
    """Known columns are known in any case; what has no name is called by its place."""
    name = clean.text(cell)
    return name.lower() if name.lower() in KNOWN else name or f"column {place}"


def _records(lines: Iterator[str], delimiter: str, *, start: int) -> Iterator[tuple[int, list[str], str]]:
    """Each record: the line it starts on, its cells, and what is wrong with it ("" if nothing is).

    A broken record ends with its line, and the lines behind it are read anew: a quote never closed costs one row.
    """
    ahead: deque[str] = deque()
    while True:
        taken: list[str] = []
        try:
            cells = next(csv.reader(_noting(ahead, lines, taken), delimiter=delimiter, strict=True), None)
        except csv.Error as wrong:
            yield start, _cells(taken[0], delimiter), str(wrong)
            ahead.extendleft(reversed(taken[1:]))
            start += 1
            continue
        if cells is None:
            return
        if cells:  # not a blank line
            yield start, cells, ""
        start += len(taken)


def _noting(ahead: deque[str], lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    while line := ahead.popleft() if ahead else next(lines, ""):
        taken.append(line)
        yield line


def _row(source: Path, number: int, header: list[str], cells: list[str], broken: str) -> Row:
    fields = dict(zip(header, map(local.shown, cells), strict=False))
    picture = fields.pop("image", "").strip()
    wrong = _wrong(header, cells, broken)
    read = local.refuse(*wrong) if wrong else partial(local.picture, source.parent, picture)
    return Row(where=f"{source.name}, line {number}", picture=picture, read=read, fields=fields)


def _wrong(header: list[str], cells: list[str], broken: str) -> tuple[str, str] | None:
    """Why a record cannot be a row: a short name and the whole sentence."""
    if broken:
        mend = "double a quote inside a quoted value, and close it"
        return "malformed", f"its values cannot be told apart ({broken}); {mend}"
    if len(cells) != len(header):
        counts = f"{len(cells)} values where the header names {len(header)} columns"
        return "malformed", f"has {counts}; quote values that hold the delimiter, and keep empty ones"
    if not all(map(local.legible, cells)):
        return "not_text", "holds bytes that are not UTF-8; save the file so, or say what it is (encoding=cp1252 ...)"
    return None
