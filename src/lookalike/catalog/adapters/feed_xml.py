"""The items of a feed in XML, RSS or Atom, whatever its size.

In: a file from anywhere. Out: entries, each with the text of the elements right inside it. Never: holds more of the
file than a few entries, expands an entity, follows a document type, or knows what an element means.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from lookalike.settings import DataError

LONGEST_ENTRY: Final = 2**20  # characters
LONGEST_TAG: Final = 2**20  # bytes
DEEPEST: Final = 100  # elements inside each other
PIECE: Final = 2**16  # bytes read at once

GOOGLE: Final = "base.google.com"  # stands in the namespaces of the specification and of a shop's own attributes
ATOM: Final = "http://www.w3.org/2005/Atom"
RANKS: Final = range(3)  # how much a namespace's names count


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One <item> or <entry>."""

    number: int
    line: int
    told: tuple[list[tuple[str, str]], ...]  # name and text, for each of RANKS
    too_long: bool  # then not all of it is told


class _Element(NamedTuple):
    rank: int
    name: str
    pieces: list[str]


def entries(source: Path) -> Iterator[Entry]:
    """The entries of a file; a DataError where it breaks, once those before the break were told."""
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
    """A walk of expat through a file: the entry it is in, and the entries that are complete.

    What is nested deeper than right inside an entry (shipping, installments) is skipped.
    """

    def __init__(self, source: Path) -> None:
        self.count = 0
        self.ended = False
        self._source = source
        self._fed = 0
        self._done: list[Entry] = []
        self._depth = 0
        self._entry_depth = 0  # 0: in no entry
        self._line = 0
        self._elements: list[_Element] = []
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

    def taken(self) -> list[Entry]:
        """The entries that were completed since the last time."""
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
        if not self._entry_depth and local_name in {"item", "entry"}:
            self._entry_depth, self._line = self._depth, self._parser.CurrentLineNumber
            self._elements, self._size = [], 0
        elif self._is_right_inside() and self._size <= LONGEST_ENTRY:
            self._elements.append(_Element(_rank(space), local_name, []))
            self._size += len(local_name)
            if local_name == "link" and attributes.get("rel", "alternate") == "alternate":
                self._text(attributes.get("href", ""))  # Atom's way

    def _text(self, data: str) -> None:
        if self._is_right_inside():
            self._size += len(data)
            if self._size <= LONGEST_ENTRY:
                self._elements[-1].pieces.append(data)

    def _end(self, _: str) -> None:
        if self._depth == self._entry_depth:
            self._entry_depth = 0
            self.count += 1
            self._done.append(self._entry())
        self._depth -= 1

    def _is_right_inside(self) -> bool:
        return bool(self._entry_depth) and self._depth == self._entry_depth + 1

    def _entry(self) -> Entry:
        told = tuple([(one.name, "".join(one.pieces)) for one in self._elements if one.rank == rank] for rank in RANKS)
        return Entry(number=self.count, line=self._line, told=told, too_long=self._size > LONGEST_ENTRY)


def _rank(space: str) -> int:
    """The specification's namespace wins over RSS and Atom, they over any other: an Atom <id> is not the product's."""
    if GOOGLE in space:
        return 2
    return 1 if space in {"", ATOM} else 0
