"""What a page carries from one request to the next instead of the server: what was looked at, and how far a list was read.

In: vectors, a place in a list. Out: short opaque texts, and back. Never: trusts one that comes back.

A photograph is embedded once. Its vectors go to the page as a text, and come back with every turn of the dial: no upload, no
session, and any worker can answer. The text tells nothing that the page could not see, and can be made by anybody; so it is
checked like any other input. It holds float16, as the catalog does: what is read off it is used as it stands, so that a text
read and told again is the same text. Who wants all pages of a list to agree asks the first one, too, with what was read.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lookalike.retrieval.search import UNIT

LONGEST: Final = 65_536  # signs of a text; vectors of 24,000 numbers fit
MARK: Final = 8  # bytes that tell for which release a text is, and whether it came whole


class AskedError(ValueError):
    """A text that is not one of ours, or of another release."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What was seen in a photograph. shape (D,), color (C,): unit, float32; of a text to within UNIT."""

    shape: np.ndarray
    color: np.ndarray


def told(looked: Looked, release: str) -> str:
    """Vectors as a text, good for one release."""
    body = np.concatenate([looked.shape, looked.color]).astype("<f2").tobytes()
    return base64.urlsafe_b64encode(_mark(body, release) + body).decode().rstrip("=")


def read(text: str, release: str, widths: tuple[int, int]) -> Looked:
    """Vectors of a text. widths: D and C of the release."""
    data = _decoded(text)
    mark, body = data[:MARK], data[MARK:]
    if mark != _mark(body, release):
        raise AskedError("this query is of another release, or was altered; upload the picture again")
    if len(body) != 2 * sum(widths):
        raise AskedError("this query is not as long as this release's vectors; upload the picture again")
    numbers = np.frombuffer(body, "<f2").astype(np.float32)
    parts = numbers[: widths[0]], numbers[widths[0] :]
    if not all(abs(np.linalg.norm(part) - 1) <= UNIT for part in parts):  # nan is no length either
        raise AskedError("this query is no pair of unit vectors; upload the picture again")
    return Looked(shape=parts[0], color=parts[1])


def cursor(place: int, question: Any, release: str) -> str:
    """Where the next page of a list begins. question: plain values, lists and dicts, whose repr is the same in each worker."""
    body = json.dumps({"from": place, "of": digest(question, release)}).encode()
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def place(text: str, question: Any, release: str) -> int:
    """Where a cursor says that the next page begins, if it is of this question."""
    try:
        said = json.loads(_decoded(text))
        begins, of = said["from"], said["of"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise AskedError("this cursor is none of ours; ask again without it") from None
    if of != digest(question, release):
        raise AskedError("this cursor is of another question or another release; ask again without it")
    if not isinstance(begins, int) or isinstance(begins, bool) or begins < 0:
        raise AskedError("this cursor is none of ours; ask again without it")
    return begins


def digest(question: Any, release: str) -> str:
    """A few signs that tell one question from another."""
    return hashlib.sha256(f"{release}\n{question!r}".encode()).hexdigest()[:16]


def _mark(body: bytes, release: str) -> bytes:
    return hashlib.sha256(release.encode() + b"\n" + body).digest()[:MARK]


def _decoded(text: str) -> bytes:
    if len(text) > LONGEST:
        raise AskedError(f"a text of {len(text):,} signs is none of ours, which have {LONGEST:,} at most")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise AskedError("this text is none of ours; upload the picture again") from None
