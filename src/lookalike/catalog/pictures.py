"""The store of original pictures: bytes as they came, each under its own sha256.

In: bytes. Out: their name, and the same bytes back by that name. Never: looks inside a picture, changes one, or hands
out bytes that are not those that were kept.

A picture is on the disk, synced, when `keep` returns; so whatever is written later, a manifest or a row, never names
bytes that a crash can take away. The sync is most of a keep (0.4 ms of 0.5, solid-state disk), beside milliseconds of
decoding in another thread: not worth a second, weaker promise.

In a bucket the same holds of a put that was answered. There a copy of the right length is taken for the right one: to
fetch every picture in order to compare it would cost more than to put it. `read` tells one that was altered all the same.
"""

import hashlib
import re
from pathlib import Path

from lookalike.catalog.product import View
from lookalike.catalog.remote import AT_ONCE
from lookalike.files import Place, write_bytes
from lookalike.settings import DataError

_NAME = re.compile("[0-9a-f]{64}")


def keep(root: Place, data: bytes) -> str:
    """Put the bytes under `root` if they are not there yet, and return their sha256. A damaged copy is mended."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = path_of(root, sha256)
    if not _holds(path, data):
        write_bytes(path, data)
    return sha256


def _holds(path: Place, data: bytes) -> bool:
    if not isinstance(path, Path):
        return path.size() == len(data)
    return path.is_file() and path.read_bytes() == data


def is_here(root: Place, view: View) -> bool:
    """Whether this picture lies here and is as long as it should be: one look, at no byte of it."""
    path = path_of(root, view.sha256)
    if not isinstance(path, Path):
        return path.size() == view.size
    return path.is_file() and path.stat().st_size == view.size


def read(root: Place, sha256: str) -> bytes:
    """The bytes that were kept under this name, checked against it."""
    path = path_of(root, sha256)
    mend = "Import its source again, which puts it back, or restore the file from a copy."
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{path}: this picture is missing. {mend}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        gone = "" if isinstance(path, Path) else "Delete it. "
        raise DataError(
            f"{path}: this picture was altered (its sha256 is now {found}, {len(data)} bytes). {gone}{mend}"
        )
    return data


def path_of(root: Place, sha256: str) -> Place:
    """Where a picture lies: 256 folders by the first two digits, so that none holds too many files."""
    if not _NAME.fullmatch(sha256):
        raise DataError(
            f"{sha256!r} is not a picture's name (64 hexadecimal digits). The table that tells it was altered."
        )
    return root / sha256[:2] / sha256


def at_once(root: Place, threads: int) -> int:
    """In how many threads to read or keep pictures here: `threads`, more where each would wait for its answer."""
    return threads if isinstance(root, Path) else max(threads, AT_ONCE)
