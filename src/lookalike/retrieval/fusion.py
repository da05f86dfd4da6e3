"""Color beside shape: two vectors of each picture as one, by a weight.

In: unit vectors. Out: unit vectors. Never: makes either of the two.
"""

import numpy as np


def joined(shape: np.ndarray, color: np.ndarray, weight: float) -> np.ndarray:
    """Shape (N, D) and color (N, C) vectors as one (N, D + C), or the one alone that has all the weight.

    Its inner products are (1 - weight) of shape's plus weight of color's.
    """
    if weight in (0, 1):
        return color if weight else shape
    both = [np.float32((1 - weight) ** 0.5) * shape, np.float32(weight**0.5) * color]
    return np.concatenate(both, axis=1)
