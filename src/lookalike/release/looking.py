"""A picture's bytes as a release's models want them.

In: untrusted bytes, preprocessing.json's words. Out: pixels. Never: decodes but by the guarded decoder.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.catalog.images import decode
from lookalike.features.foreground import bounds, on_white
from lookalike.features.resize import resize

Crop = tuple[float, float, float, float]  # left, top, right, bottom as shares of the picture
WHOLE: Final[Crop] = (0.0, 0.0, 1.0, 1.0)
GLANCE: Final = 128  # pixels of a side: where a product is can be told so far away


def square(data: bytes, told: Mapping[str, Any], crop: Crop = WHOLE) -> NDArray[np.uint8]:
    """The picture, or what a crop leaves of it, as training saw pictures (S, S, 3): what shape and color are of."""
    return squared(pixels_of(data, told, crop), told, crop)


def pixels_of(data: bytes, told: Mapping[str, Any], crop: Crop = WHOLE) -> NDArray[np.uint8]:
    """The whole picture (H, W, 3), large enough for what a crop leaves to fill a square."""
    left, top, right, bottom = crop
    return decode(data, at_least=math.ceil(int(told["size"]) / min(right - left, bottom - top)))


def squared(pixels: NDArray[np.uint8], told: Mapping[str, Any], crop: Crop = WHOLE) -> NDArray[np.uint8]:
    """What a crop leaves of pixels (H, W, 3), as training saw pictures (S, S, 3)."""
    seen = resize(_cut(pixels, crop), int(told["size"]), told["resize"], told["interpolation"])
    return on_white(seen) if told.get("mask") else seen


def proposal(pixels: NDArray[np.uint8]) -> Crop | None:
    """Where in a picture (H, W, 3) the product is; None where its ground is not plain, or the product fills it."""
    return bounds(resize(pixels, GLANCE, "squash", "bilinear"))


def unresized(data: bytes, told: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The picture in its own size (H, W, 3), for a model that resizes; a masked one must be a square before it is masked."""
    return square(data, told) if told.get("mask") else decode(data, at_least=int(told["size"]))


def _cut(pixels: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """What a crop leaves: whole pixels, one at least."""
    left, top, right, bottom = crop
    columns, rows = _between(left, right, pixels.shape[1]), _between(top, bottom, pixels.shape[0])
    return np.ascontiguousarray(pixels[rows, columns])


def _between(begins: float, ends: float, count: int) -> slice:
    first = min(round(begins * count), count - 1)
    return slice(first, max(round(ends * count), first + 1))
