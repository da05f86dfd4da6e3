"""Squares as small pictures inside a page: one by one, or many on one sheet.

In: squares (S, S, 3). Out: data URIs. Never: decodes or reads a file.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Square = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """Tiles row by row on one sheet; tile n lies at column n % columns."""

    source: str
    side: int
    columns: int
    rows: int


def tile(square: Square, *, side: int, quality: int = 82) -> str:
    """A square, at most `side` pixels wide, as a data URI."""
    return _uri(_small(square, min(side, len(square))), quality)


def sprite(squares: Sequence[Square], *, side: int, quality: int = 75) -> Sprite:
    """All squares on one sheet about as wide as high."""
    columns = max(1, math.ceil(math.sqrt(len(squares))))
    rows = max(1, math.ceil(len(squares) / columns))
    sheet = np.full((rows * side, columns * side, 3), 255, np.uint8)
    for place, square in enumerate(squares):
        top, left = place // columns * side, place % columns * side
        sheet[top : top + side, left : left + side] = _small(square, side)
    return Sprite(source=_uri(sheet, quality), side=side, columns=columns, rows=rows)


def _small(square: Square, side: int) -> Square:
    shrunk = cv2.resize(np.ascontiguousarray(square), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)


def _uri(pixels: Square, quality: int) -> str:
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=quality, colorspace="RGB")
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
