"""Color taken out: the luminance of a picture.

In: pictures (B, S, S, 3) uint8 RGB. Out: (B, S, S) uint8. Never: another weighting than ITU-R 601's, nor a fraction that
one machine rounds differently from the next.
"""

import numpy as np
from numpy.typing import NDArray

RED, GREEN, BLUE = 19595, 38470, 7471  # 0.299, 0.587, 0.114 in parts of 65536; together they are exactly that


def grayscale(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The luminance of ITU-R 601, (19595 R + 38470 G + 7471 B) / 65536, halves rounded up: Pillow's "L" to the bit.

    A gray pixel keeps its value. pictures (..., 3) -> (...).
    """
    red, green, blue = (pictures[..., channel].astype(np.uint32) for channel in range(3))
    return ((RED * red + GREEN * green + BLUE * blue + 32768) >> 16).astype(np.uint8)
