"""A picture's bytes as a release's models want them.

In: untrusted bytes, preprocessing.json's words. Out: pixels. Never: decodes but by the guarded decoder.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.catalog.images import decode
from lookalike.features.foreground import on_white
from lookalike.features.resize import resize


def square(data: bytes, told: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The picture as training saw it (S, S, 3): what both the shape and the color are of."""
    size = int(told["size"])
    pixels = resize(decode(data, at_least=size), size, told["resize"], told["interpolation"])
    return on_white(pixels) if told.get("mask") else pixels


def unresized(data: bytes, told: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The picture in its own size (H, W, 3), for a model that resizes; a masked one must be a square before it is masked."""
    return square(data, told) if told.get("mask") else decode(data, at_least=int(told["size"]))
