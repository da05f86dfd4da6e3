"""The golden pictures: a dozen drawn products of several shapes, sizes and file formats.

In: nothing. Out: their bytes, the same on every machine of one kind. Never: a retailer's photograph.
"""

import cv2
import numpy as np

from lookalike.features.grayscale import grayscale
from lookalike.release.golden import Drawn
from lookalike.settings import DataError
from lookalike.toy import catalog as toy
from lookalike.toy.style import style

STYLES = 12
SIZES = (97, 240, 480)


def pictures(count: int = STYLES) -> list[Drawn]:
    """So many, JPEG and PNG by turns, every third tall and every fourth wide, one of them gray."""
    return [_drawn(number, toy.draw(_shot(number))) for number in range(count)]


def _shot(number: int) -> toy.Shot:
    size = SIZES[number % len(SIZES)]
    return toy.shots(style(number, 0), which=number % 2, views=4, size=size)[number % 3]


def _drawn(number: int, pixels: np.ndarray) -> Drawn:
    cut = _cut(number, pixels)
    if number == 1:
        cut = np.repeat(grayscale(cut)[..., None], 3, axis=2)
    kind = "png" if number % 2 else "jpg"
    return Drawn(f"{number:02d}.{kind}", _encoded(cut, kind))


def _cut(number: int, pixels: np.ndarray) -> np.ndarray:
    """A square, or the middle three quarters of one."""
    side = len(pixels)
    middle = slice(side // 8, side - side // 8)
    if number % 3 == 2:
        return pixels[:, middle]
    return pixels[middle] if number % 4 == 3 else pixels


def _encoded(pixels: np.ndarray, kind: str) -> bytes:
    done, data = cv2.imencode(f".{kind}", np.ascontiguousarray(pixels[..., ::-1]))
    if not done:
        raise DataError(f"OpenCV could not write a {kind}")
    return bytes(data)
