"""Where a product is in a photograph with clutter, by a network that the user points to; none is shipped.

In: an ONNX file of U²-Net's kind (a picture (1, 3, S, S), normalised as ImageNet's, to its first output (1, 1, S, S), which
is greater where it is more surely product); then pixels. Out: a mask. Never: downloads one, or knows its licence: U²-Net's own
weights are Apache-2.0, others of this kind may not be used to earn money.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.release import session
from lookalike.settings import DataError

Mask = NDArray[np.bool_]
Cutter = Callable[[NDArray[np.uint8]], Mask]

SIDE: Final = 320  # of U²-Net's picture, where a file leaves it open
MEAN, SPREAD = (np.array(of, np.float32) for of in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
SURE: Final = 0.5  # between what is least and most surely product


def cutter(path: Path, *, threads: int = 1) -> Cutter:
    """A file's network: pixels (H, W, 3) -> where the product is (H, W)."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give an ONNX file of U²-Net's kind, or leave it out")
    opened = session.opened(path, threads)
    asked = opened.get_inputs()
    shape = asked[0].shape if len(asked) == 1 else []
    if len(shape) != 4 or shape[1] != 3:
        raise DataError(f"{path}: takes {[one.shape for one in asked]}, and one picture (1, 3, S, S) is wanted")
    side = shape[2] if isinstance(shape[2], int) else SIDE

    def cut(pixels: NDArray[np.uint8]) -> Mask:
        found: Any = opened.run(None, {asked[0].name: _normalised(pixels, side)})[0]
        return _mask(np.asarray(found, np.float32).reshape(side, side), pixels.shape[:2])

    return cut


def on_white(pixels: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) with white where the mask (H, W) sees no product."""
    return np.where(mask[..., None], pixels, np.uint8(255))


def _normalised(pixels: NDArray[np.uint8], side: int) -> np.ndarray:
    """(H, W, 3) -> (1, 3, S, S)."""
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    level = (small / max(float(small.max()), 1.0) - MEAN) / SPREAD
    return np.ascontiguousarray(level.transpose(2, 0, 1)[None])


def _mask(seen: np.ndarray, size: tuple[int, ...]) -> Mask:
    """Where it is surely product; everywhere, where it is nowhere surer than elsewhere."""
    least, most = float(seen.min()), float(seen.max())
    if not most - least > 1e-6:  # nan too
        return np.ones(size[:2], np.bool_)
    level = cv2.resize((seen - least) / (most - least), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(level > SURE)
