"""Lists of strings out of a Matlab file, and nothing else that such a file may hold. Standard library only.

In: the bytes of a file of level 5 (saved by Matlab 5 to 7). Out: its cell arrays of strings. Never: follows a length
past the end of the bytes, unpacks without a limit, or makes an object of any other kind.

The parts that matter here: https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

import zlib
from collections.abc import Iterator
from struct import unpack_from
from typing import Final

HEADER: Final = 128  # bytes; the last four are the version and the order of bytes
LEVEL_5: Final = b"\x00\x01IM"
UNPACKED: Final = 64 * 2**20  # bytes; UT Zappos50K's paths are some 10 million
MATRIX, COMPRESSED = 14, 15  # kinds of elements
CELLS, TEXT = 1, 4  # kinds of matrices
ENCODINGS: Final = {1: "ascii", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}  # by the kind of element


def cell_arrays(data: bytes) -> dict[str, list[str]]:
    """The strings of every cell array, by its name; what else there is has a name and no strings. Else a ValueError."""
    if data[HEADER - 4 : HEADER] != LEVEL_5:
        raise ValueError("it does not begin as one of level 5 does")
    return dict(_named(body) for kind, body in _unpacked(data[HEADER:]) if kind == MATRIX)


def _unpacked(data: bytes) -> Iterator[tuple[int, bytes]]:
    for kind, body in _elements(data):
        yield from _elements(_inflated(body)) if kind == COMPRESSED else [(kind, body)]


def _inflated(packed: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, UNPACKED)
    except zlib.error as wrong:
        raise ValueError(str(wrong)) from None
    if not stream.eof:
        raise ValueError(f"a part of it is cut short, or unpacks to more than {UNPACKED:,} bytes")
    return data


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the contents of each element. A small one has kind, size and contents in eight bytes."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("it breaks off")
        kind, size = unpack_from("<II", data, at)
        small = kind >> 16
        if small > 4 or (not small and size > len(data) - at - 8):
            raise ValueError("one of its lengths runs past the end")
        if small:
            yield kind & 0xFFFF, data[at + 4 : at + 4 + small]
            at += 8
        else:
            yield kind, data[at + 8 : at + 8 + size]
            at += 8 + size + (-size % 8 if kind != COMPRESSED else 0)


def _array(matrix: bytes) -> tuple[int, int, str, list[tuple[int, bytes]]]:
    """What kind of array it is, how many rows it has, its name, and its parts."""
    elements = list(_elements(matrix))
    if len(elements) < 3:
        raise ValueError("one of its arrays is not whole")
    (_, flags), (_, sides), (_, name), *parts = elements
    return int.from_bytes(flags[:1]), int.from_bytes(sides[:4], "little"), name.decode("latin-1"), parts


def _named(matrix: bytes) -> tuple[str, list[str]]:
    kind, _, name, parts = _array(matrix)
    return name, [_string(body) for _, body in parts] if kind == CELLS else []


def _string(matrix: bytes) -> str:
    if not matrix:
        return ""
    kind, rows, _, parts = _array(matrix)
    if kind != TEXT or rows > 1:
        raise ValueError("one of its cells is not a line of text")
    return "".join(body.decode(ENCODINGS.get(encoding, "ascii")) for encoding, body in parts)
