"""Colors as the screen means them: pixels in the colors of an embedded ICC profile in, sRGB pixels out.

In: RGB pixels and the profile's bytes, both from anywhere. Out: pixels of the same shape. Never: refuses a picture for
its profile; one that cannot be used (broken, of gray or of printing inks) changes nothing, as in most viewers.

Worth its cost: a red leather of (200, 30, 40) in a phone's Display P3 is (218, 0, 27) in sRGB, and color is what is
searched for. It takes some 11 ms a megapixel, for pictures that are not sRGB already, after the decoder scaled down.
"""

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
SHARED = 65_536  # bytes; a stranger's profile of megabytes would be kept for as long as the process runs
_NAMES_OF_SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))  # ICC version 2 and version 4


def to_srgb(pixels: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Convert pixels (H, W, 3) from the colors of `profile` to sRGB."""
    made = _shared if len(profile) <= SHARED else _transform
    transform = made(profile) if _is_other_rgb(profile) else None
    if transform is None:
        return pixels
    return np.array(ImageCms.applyTransform(Image.fromarray(pixels), transform))


def _is_other_rgb(profile: bytes) -> bool:
    return profile[16:20] == b"RGB " and not any(name in profile for name in _NAMES_OF_SRGB)


def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, _SRGB, "RGB", "RGB", flags=ImageCms.Flags.NOCACHE)  # shared by threads
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


_shared = lru_cache(maxsize=32)(_transform)  # a shop's pictures share a profile; making a transform takes 1.6 ms
