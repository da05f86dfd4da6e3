"""Which pictures show little: too small, blurred or nearly empty.

In: pictures as squares, their own sizes, and their fingerprints. Out: a word for each. Never: decodes, or changes a picture.
"""

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.catalog.nearness import shows_nothing
from lookalike.features.foreground import foreground

SMALL: Final = 0.5  # of the network's square: a picture whose longer side is less is enlarged more than twice
BLURRED: Final = 1 / 3  # of the usual sharpness
EMPTY: Final = 0.02  # of the square: a smaller product can hardly be told from another
WORDS: Final = {
    "too small": f"its longer side is below {SMALL:.0%} of the network's square, so that it is enlarged more than twice",
    "blurred": "its sharpness (standard deviation of the Laplacian over that of the gray levels, on {} pixels) is below "
    "a third of the median of these pictures",
    "nearly empty": f"the product covers less than {EMPTY:.0%} of the square, or nothing can be told from the ground",
}


def poor(
    squares: NDArray[np.uint8], sides: Sequence[int], fingerprints: Sequence[bytes], *, seen_at: int
) -> tuple[str, ...]:
    """What is wrong with each picture, "" where nothing is; the first word that fits.

    squares (N, S, S, 3); sides: the longer side of each as it came; seen_at: the side of the network's square.
    """
    if not len(squares):
        return ()
    sharp = np.array([sharpness(one) for one in squares])
    usual = float(np.median(sharp))
    covered = [
        float(foreground(one[None]).mean()) for one in squares
    ]  # one at a time: squares may be a map on the disk
    empty = [share < EMPTY or shows_nothing(one) for share, one in zip(covered, fingerprints, strict=True)]
    facts = zip(np.asarray(sides) < SMALL * seen_at, empty, sharp < BLURRED * usual, strict=True)
    return tuple(_word(*fact) for fact in facts)


def sharpness(square: NDArray[np.uint8]) -> float:
    """How much of a picture (S, S, 3) is fine detail; a fainter picture of the same object is no less sharp."""
    gray = cv2.cvtColor(np.ascontiguousarray(square), cv2.COLOR_RGB2GRAY).astype(np.float32)
    spread = float(gray.std())
    return float(cv2.Laplacian(gray, cv2.CV_32F).std()) / spread if spread else 0.0


def _word(small: Any, empty: Any, blurred: Any) -> str:
    """An empty picture is not sharp either, so emptiness is asked first."""
    return "too small" if small else "nearly empty" if empty else "blurred" if blurred else ""
