"""The parts of a PNG: what of it makes pixels, and whether there is enough of that. Standard library only.

In: the bytes of a PNG from anywhere. Out: its chunks, the same picture without the rest, the pixels promised and there.
Never: decodes a pixel, or unpacks more than the header promises.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # color type -> values a pixel
_PLAIN = ((0, 0, 1, 1),)  # x, y of the first pixel, and the steps across and down
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class Chunk(NamedTuple):
    """One chunk: its name, its contents, and the sum that its writer wrote after them."""

    name: bytes
    body: bytes
    sum: bytes

    @property
    def is_whole(self) -> bool:
        """Whether name and contents are those that were written."""
        return zlib.crc32(self.body, zlib.crc32(self.name)) == int.from_bytes(self.sum)


def chunks(data: bytes) -> Iterator[Chunk]:
    """Yield each chunk up to and with IEND; stops early where the bytes end."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return
        yield Chunk(name, data[at + 8 : end], data[end : end + 4])
        if name == b"IEND":
            return
        at = end + 4


def of_pixels(data: bytes) -> list[Chunk]:
    """The chunks that make the pixels: without animation and texts, nothing can swell, or make a reader warn."""
    return [chunk for chunk in chunks(data) if chunk.name in _PIXELS]


def joined(parts: Iterable[Chunk]) -> bytes:
    """Chunks to a PNG."""
    return SIGNATURE + b"".join(struct.pack(">I", len(part.body)) + b"".join(part) for part in parts)


def is_interlaced(header: bytes) -> bool:
    """Whether the rows come in seven passes. header: the contents of IHDR."""
    return header[12] == 1


def promised(header: bytes) -> int:
    """Bytes of filtered rows that a header stands for. header: the contents of IHDR."""
    width, height, depth, color = struct.unpack_from(">IIBB", header)
    passes = _ADAM7 if is_interlaced(header) else _PLAIN
    bits = depth * _SAMPLES[color]
    return sum(_pass_bytes(width - x, height - y, across, down, bits) for x, y, across, down in passes)


def present(parts: Iterable[Chunk], most: int) -> int:
    """Bytes of filtered rows that are packed inside, counted up to `most`. Costs about as much as decoding."""
    stream = b"".join(part.body for part in parts if part.name == b"IDAT")
    return len(zlib.decompressobj().decompress(stream, most))


def _pass_bytes(width: int, height: int, across: int, down: int, bits: int) -> int:
    """Bytes of one pass: in each of its rows a filter byte and its pixels, packed."""
    columns, rows = -(-width // across), -(-height // down)
    return rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
