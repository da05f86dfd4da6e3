"""Tables whose values are apart by tabs, commas, semicolons or bars, as spreadsheets write and people break them.

In: the lines of such a table. Out: its records, each with the line that it begins on. Never: loses a line (a broken
record says what is wrong with it), or lets a quote that nobody closed cost more than its own line, or much memory.
"""

import csv
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

DELIMITERS: Final = "\t,;|"  # of two that divide a header into as many names, the first
LONGEST_RECORD: Final = 200  # lines; behind so many a quote counts as never closed


class Record(NamedTuple):
    """One record. Where something is wrong with it, its values are those of its first line, as far as they go."""

    line: int
    values: list[str]
    wrong: str  # why they do not fit the header, and the mend; "" if they do


def delimiter_of(header: str) -> str:
    """The delimiter that makes the most of a header."""
    return max(DELIMITERS, key=lambda one: len(values_of(header, one)))


def values_of(line: str, delimiter: str) -> list[str]:
    """The values of one line as far as they can be told apart, whatever its quotes."""
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:  # a value too long to be one
        return []


def records(lines: Iterator[str], delimiter: str, *, width: int) -> Iterator[Record]:
    """The records behind a header (line 1) that names `width` columns; blank lines are none.

    A record of several lines that is broken, or does not fit the header, was glued together by a quote that nobody
    closed: it ends with its first line, and the others are read anew.
    """
    ahead: deque[str] = deque()
    number = 2
    while True:
        taken: list[str] = []
        values, wrong = _strictly(_noting(ahead, lines, taken), delimiter)
        if not taken:
            return
        if len(taken) > 1 and len(values) != width:
            wrong = wrong or "a quote is not closed"
            ahead.extendleft(reversed(taken[1:]))
            del taken[1:]
        if wrong:
            mend = "double a quote inside a quoted value, and close it"
            told = f"its values cannot be told apart ({wrong}); {mend}"
            yield Record(number, values_of(taken[0], delimiter), told)
        elif len(values) > 1 or "".join(values).strip():
            yield Record(number, values, _miscounted(values, width))
        number += len(taken)


def _strictly(lines: Iterator[str], delimiter: str) -> tuple[list[str], str]:
    """The values of the next record, or none and what is wrong with it."""
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True), []), ""
    except csv.Error as wrong:
        return [], str(wrong)


def _noting(ahead: deque[str], lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    while len(taken) < LONGEST_RECORD and (line := ahead.popleft() if ahead else next(lines, "")):
        taken.append(line)
        yield line


def _miscounted(values: list[str], width: int) -> str:
    if len(values) == width:
        return ""
    counts = f"{len(values)} values where the header names {width} columns"
    return f"has {counts}; quote values that hold the delimiter, and keep empty ones"
