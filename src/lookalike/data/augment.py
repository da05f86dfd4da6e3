"""What is done to pictures while learning, a batch at a time: on the memory map this is ten times faster than one by one.

In: pictures (B, S, S, 3) uint8 and a random generator. Out: pictures of the same shape. Never: changes its input.
"""

from collections.abc import Callable, Iterable
from typing import Annotated

import cv2
import numpy as np
from annotated_types import Interval

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]

Share = Annotated[float, Interval(ge=0, le=1)]
WHITE = 255  # product photographs stand on white; what a shift uncovers is ground


def none(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:  # noqa: ARG001 - every augmentation is given a generator
    """The pictures as they are."""
    return pictures


def shift_and_light(
    pictures: np.ndarray,
    random: np.random.Generator,
    *,
    flip: Share = 0.5,
    shift: Annotated[float, Interval(ge=0, le=0.5)] = 0.08,
    light: Share = 0.15,
) -> np.ndarray:
    """Mirror some, move each by up to `shift` of its side, and change its brightness by up to `light`."""
    count, size = pictures.shape[:2]
    mirrored = np.less(random.random(count), flip)
    turned = (cv2.flip(one, 1) if turn else one for one, turn in zip(pictures, mirrored, strict=True))
    by = random.integers(-round(shift * size), round(shift * size) + 1, (count, 2))
    gain = 1 + random.uniform(-light, light, (count,)).astype(np.float32)
    moved = (_moved(one, *to) for one, to in zip(turned, by, strict=True))
    return _through(_toned(gain, np.ones_like(gain)), moved, size)


def crop_and_light(
    pictures: np.ndarray,
    random: np.random.Generator,
    *,
    flip: Share = 0.5,
    zoom_in: Annotated[float, Interval(ge=0, le=0.95)] = 0.3,
    zoom_out: Annotated[float, Interval(ge=0, le=4)] = 0.1,
    stretch: Share = 0.1,
    light: Share = 0.15,
    contrast: Share = 0.15,
) -> np.ndarray:
    """Look at each through a window somewhere in it, mirror some, and change brightness and contrast by up to a share.

    The window's side is from 1 - zoom_in to 1 + zoom_out of the picture's, and one side up to `stretch` longer than the
    other; a window larger than the picture shows white around it. With everything at 0 the pictures stay as they are.
    """
    count, size = pictures.shape[:2]
    side = 1 + random.uniform(-zoom_in, zoom_out, (count, 1))
    longer = np.exp(random.uniform(-1, 1, (count, 1)) * np.log1p(stretch) / 2)
    window = side * np.hstack([longer, 1 / longer])
    corner = random.random((count, 2)) * (1 - window)  # negative where the window is the larger
    mirrored = np.less(random.random(count), flip)
    gain, spread = (1 + random.uniform(-most, most, (count,)).astype(np.float32) for most in (light, contrast))
    maps = _window_maps(window, corner, mirrored, size)
    seen = (_seen(one, by) for one, by in zip(pictures, maps, strict=True))
    return _through(_toned(gain, spread), seen, size)


def _moved(picture: np.ndarray, down: int, right: int) -> np.ndarray:
    size = len(picture)
    moved = np.full_like(picture, WHITE)
    to_y, to_x = slice(max(down, 0), size + min(down, 0)), slice(max(right, 0), size + min(right, 0))
    from_y, from_x = slice(max(-down, 0), size + min(-down, 0)), slice(max(-right, 0), size + min(-right, 0))
    moved[to_y, to_x] = picture[from_y, from_x]
    return moved


def _window_maps(window: np.ndarray, corner: np.ndarray, mirrored: np.ndarray, size: int) -> np.ndarray:
    """Where each pixel of a window is found in its picture: affine maps (B, 2, 3).

    window and corner (B, 2), across and down, as shares of the picture's side. A pixel's place is its middle, half a pixel
    in: x becomes corner * size + (x + 1/2) * window - 1/2, and in a mirror x counts from the right.
    """
    offset = corner * size + window / 2 - 0.5
    maps = np.zeros((len(window), 2, 3))
    maps[:, 0, 0] = np.where(mirrored, -window[:, 0], window[:, 0])
    maps[:, 0, 2] = np.where(mirrored, offset[:, 0] + (size - 1) * window[:, 0], offset[:, 0])
    maps[:, 1, 1], maps[:, 1, 2] = window[:, 1], offset[:, 1]
    return maps


def _seen(picture: np.ndarray, by: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(
        picture,
        by,
        picture.shape[:2],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(WHITE, WHITE, WHITE),
    )


def _toned(gain: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """What each picture's values become: tables (B, 256) uint8. gain: brightness; spread: contrast, about middle gray."""
    values = np.arange(256, dtype=np.float32)
    changed = ((values - 128) * spread[:, None] + 128) * gain[:, None]
    tables: np.ndarray = changed.clip(0, 255).round().astype(np.uint8)
    return tables


def _through(tables: np.ndarray, pictures: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Each picture's values looked up in its own table (B, S, S, 3): quicker than sums on every value.

    One picture is made at a time and written where it belongs: to allot a batch of 224 px at each step takes most of the time.
    """
    through = np.empty((len(tables), size, size, 3), np.uint8)
    for one, table, place in zip(pictures, tables, through, strict=True):
        cv2.LUT(one, table, place)
    return through
