"""A request's body, read into its fields and its picture.

In: a content type and a body from anywhere. Out: `Taken`; ProblemError 400, 413, 415 or 422 that says what is wrong.
Never: writes to disk, holds more than it was told to, or guesses at bytes that are no text.

A large body may be written so that its parts are found slowly: read it away from the event loop.
"""

import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from lookalike.serving.asked import LONGEST
from lookalike.serving.forms import FILE, ProblemError, shown

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
MOST_FIELDS: Final = 400
MOST_TEXT: Final = 1_000_000  # bytes of JSON, or of all of a form's texts
LONGEST_NAME: Final = 100
logging.getLogger("python_multipart").setLevel(
    logging.ERROR
)  # it warns of each damaged form: strangers could fill the log
WHOLE: Final = 2.0**53  # beyond it a float tells no neighbours apart


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a body said. form: its fields are texts, each in a list; else they are what JSON made of them."""

    fields: dict[str, Any]
    file: bytes | None = None
    form: bool = False


async def whole(pieces: AsyncIterator[bytes], *, most: int) -> bytes:
    """A body of `most` bytes at most."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > most:
            raise ProblemError(413, f"the body has more than the {most:,} bytes that are taken; send a smaller picture")
    return bytes(body)


def taken(content_type: str, body: bytes, *, json_too: bool = True) -> Taken:
    """What a body says, read as its content type says. json_too: a form is not the only thing that is taken."""
    kind, options = parse_options_header(content_type)
    if kind == FORM.encode():
        return _form(options.get(b"boundary", b""), body)
    if kind == JSON.encode() and json_too:
        return Taken(fields=_json(body))
    given = f"the body is {shown(content_type)}" if content_type else "the body does not say what it is"
    raise ProblemError(415, f"{given}; send {f'{JSON} or {FORM}' if json_too else FORM} as Content-Type")


# JSON


def _json(body: bytes) -> dict[str, Any]:
    """An object out of a body. A number that is whole is a whole one, however it is written, as JSON has but one kind."""
    if len(body) > MOST_TEXT:
        raise ProblemError(413, f"the body has {len(body):,} bytes, and {MOST_TEXT:,} of JSON are taken; send fewer")
    try:
        said = json.loads(
            body.decode(), parse_constant=_refuse_constant, parse_float=_number, object_pairs_hook=_refuse_twice
        )
    except UnicodeDecodeError as wrong:
        raise ProblemError(400, f"the body is no UTF-8: byte {wrong.start} is {body[wrong.start]:#04x}") from None
    except json.JSONDecodeError as wrong:
        raise ProblemError(
            400, f"the body is no JSON: line {wrong.lineno}, column {wrong.colno}: {wrong.msg}"
        ) from None
    except RecursionError:
        raise ProblemError(400, "the body is no JSON that is taken: it is nested too deep") from None
    except ValueError:  # a whole number of thousands of digits
        raise ProblemError(400, "the body is no JSON that is taken: a number in it is too long") from None
    if not isinstance(said, dict):
        raise ProblemError(422, f"the body is {shown(said)}, not an object; send one such as {{}} with fields in it")
    return said


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < WHOLE else value


def _refuse_constant(name: str) -> None:
    raise ProblemError(400, f"the body is no JSON: {name} is no number of it; leave the field out")


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ProblemError(400, f"the body says {shown(twice)} twice; say it once")
    return said


# Forms


def _form(boundary: bytes, body: bytes) -> Taken:
    if not boundary:
        raise ProblemError(400, f"the Content-Type {FORM} names no boundary; let your HTTP library write that header")
    parts = _Parts()
    try:
        MultipartParser(boundary, parts.callbacks).write(body)
    except FormParserError as wrong:
        raise ProblemError(400, f"the body is no {FORM}: {ascii(str(wrong))[1:-1]}") from None
    if not parts.ended:
        raise ProblemError(400, f"the body is no whole {FORM}: it ends before its last boundary; send it again")
    return Taken(fields=parts.fields, file=None if parts.file is None else bytes(parts.file), form=True)


class _Parts:
    """The parts of a form, gathered while they are read."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self.file: bytearray | None = None
        self.ended = False
        self._count = self._text = 0
        self._name = ""
        self._value = self._header_name = self._header = self._disposition = bytearray()
        self._is_file = False

    @property
    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_named,
            "on_header_value": self._header_said,
            "on_header_end": self._header_end,
            "on_headers_finished": self._opened,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_FIELDS:
            raise ProblemError(400, f"the form has more than the {MOST_FIELDS} fields that are taken; send fewer")
        self._value, self._disposition = bytearray(), bytearray()
        self._header_name, self._header = bytearray(), bytearray()

    def _header_named(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_said(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header
        self._header_name, self._header = bytearray(), bytearray()

    def _opened(self) -> None:
        kind, options = parse_options_header(self._disposition.decode("latin-1"))
        if kind != b"form-data" or not options.get(b"name"):
            raise ProblemError(
                400, f"part {self._count} of the form has no name; give `Content-Disposition: form-data; name=`"
            )
        self._name = _text(options[b"name"], f"the name of part {self._count}")
        if len(self._name) > LONGEST_NAME:
            raise ProblemError(400, f"the form has a field of the name {shown(self._name)}, which is none of ours")
        self._is_file = b"filename" in options
        self._refuse_place()
        if self._is_file:
            self.file = bytearray()

    def _refuse_place(self) -> None:
        if self._is_file and self._name != FILE:
            raise ProblemError(400, f"a file came in the field {shown(self._name)}; send it in the field `{FILE}`")
        if self._name == FILE and not self._is_file:
            raise ProblemError(
                400, f"the field `{FILE}` is a text; send a file in it, with a filename (curl: -F file=@PICTURE)"
            )
        if self._is_file and self.file is not None:
            raise ProblemError(400, "two files came; send one picture at a time")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file and self.file is not None:
            self.file += data[start:end]
            return
        self._text += end - start
        if len(self._value) + end - start > LONGEST:
            raise ProblemError(422, f"the field {shown(self._name)} is too long; {LONGEST:,} bytes of one are taken")
        if self._text > MOST_TEXT:
            raise ProblemError(413, f"the form's texts are too long; {MOST_TEXT:,} bytes of all are taken")
        self._value += data[start:end]

    def _end(self) -> None:
        if not self._is_file:
            self.fields.setdefault(self._name, []).append(_text(self._value, f"the field {shown(self._name)}"))

    def _finish(self) -> None:
        self.ended = True


def _text(data: bytes | bytearray, what: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as wrong:
        raise ProblemError(400, f"{what} is no UTF-8: byte {wrong.start} is {data[wrong.start]:#04x}") from None
    if "\0" in text:
        raise ProblemError(400, f"{what} holds a NUL byte; send text")
    return text
