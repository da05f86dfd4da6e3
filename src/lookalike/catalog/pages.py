"""The store of page states: the text that a page was read from, packed, each under the sha256 of the text.

In: text. Out: its name, and the same text back by that name. Never: reads what a page says, or hands out a text that is
not the one that was kept.
"""

import gzip
import hashlib
import re
import zlib

from lookalike.files import Place, write_bytes
from lookalike.settings import DataError

LEVEL = 6  # of packing: 9 takes three times as long for one percent
_NAME = re.compile("[0-9a-f]{64}")
_MEND = "A crawl that meets the same page again puts it back, or restore the file from a copy."


def keep(root: Place, text: str) -> str:
    """Put the text under `root` if it is not there yet, and return its sha256. A damaged copy is mended.

    Half a sign, which a shop's JSON may hold and no encoding has, is kept as it came.
    """
    data = text.encode("utf-8", "surrogatepass")
    sha256 = hashlib.sha256(data).hexdigest()
    path = path_of(root, sha256)
    packed = gzip.compress(data, LEVEL, mtime=0)  # no clock in it, so that equal texts are equal files
    if not (path.is_file() and path.read_bytes() == packed):
        write_bytes(path, packed)
    return sha256


def read(root: Place, sha256: str) -> str:
    """The text that was kept under this name, checked against it."""
    path = path_of(root, sha256)
    if not path.is_file():
        raise DataError(f"{path}: this page is missing. {_MEND}")
    data = _unpacked(path.read_bytes())
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(f"{path}: this page was altered. {_MEND}")
    return data.decode("utf-8", "surrogatepass")


def path_of(root: Place, sha256: str) -> Place:
    """Where a page lies: 256 folders by the first two digits, so that none holds too many files."""
    if not _NAME.fullmatch(sha256):
        raise DataError(
            f"{sha256!r} is not a page's name (64 hexadecimal digits). The table that tells it was altered."
        )
    return root / sha256[:2] / f"{sha256}.gz"


def _unpacked(data: bytes) -> bytes | None:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None
