"""What is done to pictures while learning, a batch at a time: on the memory map this is ten times faster than one by one.

In: pictures (B, S, S, 3) uint8 and a random generator. Out: pictures of the same shape. Never: changes its input.
"""

from collections.abc import Callable
from typing import Annotated

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
    mirrored = np.less(random.random((count, 1, 1, 1)), flip)
    turned = np.where(mirrored, pictures[:, :, ::-1], pictures)
    by = random.integers(-round(shift * size), round(shift * size) + 1, (count, 2))
    gain = 1 + random.uniform(-light, light, (count, 1, 1, 1)).astype(np.float32)
    moved = np.stack([_moved(one, *to) for one, to in zip(turned, by, strict=True)])
    bright: np.ndarray = (moved * gain).clip(0, 255).round().astype(np.uint8)
    return bright


def _moved(picture: np.ndarray, down: int, right: int) -> np.ndarray:
    size = len(picture)
    moved = np.full_like(picture, WHITE)
    to_y, to_x = slice(max(down, 0), size + min(down, 0)), slice(max(right, 0), size + min(right, 0))
    from_y, from_x = slice(max(-down, 0), size + min(-down, 0)), slice(max(-right, 0), size + min(-right, 0))
    moved[to_y, to_x] = picture[from_y, from_x]
    return moved
