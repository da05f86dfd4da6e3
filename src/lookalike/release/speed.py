"""How long a picture takes by each of several embedders, one beside the other.

In: embedders and squares. Out: milliseconds a picture. Never: lets one run in a quiet minute and another in a busy one.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from lookalike.release.session import Embed

ROUNDS: Final = 7
SECONDS: Final = 0.5  # that one turn lasts at least


def race(contenders: Mapping[str, Embed], batches: Sequence[np.ndarray], *, rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds a picture, the best of several turns. batches: of pictures (B, H, W, 3), given one after the other.

    They take turns, so what else the machine does falls on all of them; the best turn is that which it fell on least.
    """
    for embed in contenders.values():
        embed(batches[0])  # the first call pays for what is made but once
    best = dict.fromkeys(contenders, np.inf)
    for _ in range(rounds):
        for name, embed in contenders.items():
            best[name] = min(best[name], _turn(embed, batches))
    return {name: float(1000 * seconds) for name, seconds in best.items()}


def _turn(embed: Embed, batches: Sequence[np.ndarray]) -> float:
    """Seconds a picture."""
    began, seen = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < SECONDS:
        for pictures in batches:
            embed(pictures)
            seen += len(pictures)
    return spent / seen
