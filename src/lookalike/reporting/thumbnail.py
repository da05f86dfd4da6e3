"""A picture of the catalog, small, for inside a page.

In: a way to original bytes. Out: a data URI. Never: decodes in another way than through the guarded decoder.
"""

import base64
from collections.abc import Callable

import cv2
import simplejpeg

from lookalike.catalog import images
from lookalike.catalog.product import RowError
from lookalike.settings import DataError


def thumbnail(sha256: str, side: int, picture: Callable[[str], bytes]) -> str:
    """The picture, its longer side `side` pixels at most, as a data URI; "" where it cannot be read."""
    try:
        pixels = images.decode(picture(sha256), at_least=side)
    except (OSError, RowError, DataError):
        return ""
    factor = min(1.0, side / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    data: bytes = simplejpeg.encode_jpeg(small, quality=85, colorspace="RGB")
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
