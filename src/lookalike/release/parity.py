"""Whether an exported network still is the run's: the same JPEG bytes by both, and what became of the search.

In: vectors (N, D) of the same pictures by both, a table, a protocol. Out: a `Parity`, and what of it is outside a tolerance.
Never: embeds, or judges a format by its name.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lookalike.retrieval.evaluation import Evaluation
from lookalike.retrieval.significance import Difference, paired
from lookalike.settings import Tolerance

OVERLAP_AT: Final = 10
BLOCK: Final = 1024


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How near a format's vectors are to the run's own, and whether they find the same."""

    cosine_min: float
    cosine_mean: float
    overlap: float  # share of the run's 10 nearest that are the format's too
    recall: float  # recall@1 of the format
    difference: Difference  # of recall@1, the format's less the run's

    def told(self) -> dict[str, Any]:
        """As parity.json holds it."""
        return {
            "cosine": {"min": self.cosine_min, "mean": self.cosine_mean},
            f"overlap@{OVERLAP_AT}": self.overlap,
            "recall@1": self.recall,
            "recall@1 less the run's": {
                "value": self.difference.value,
                "ci95": [self.difference.low, self.difference.high],
            },
        }


def parity(ours: np.ndarray, run: np.ndarray, mine: Evaluation, runs: Evaluation, *, seed: int = 0) -> Parity:
    """Compare a format's vectors `ours` (N, D) with the run's, and what the two found on the same queries."""
    cosine = np.einsum("nd,nd->n", ours, run)
    difference = paired(
        mine.table["recall@1"].to_numpy()[None],
        runs.table["recall@1"].to_numpy()[None],
        np.unique(runs.table[runs.protocol.cluster].to_numpy(), return_inverse=True)[1],
        seed=seed,
    )
    return Parity(
        cosine_min=float(cosine.min()),
        cosine_mean=float(cosine.mean()),
        overlap=overlap(ours, run),
        recall=mine.figures["recall@1"].value,
        difference=difference,
    )


def overlap(ours: np.ndarray, theirs: np.ndarray, k: int = OVERLAP_AT) -> float:
    """The share of each picture's k nearest by `theirs` (N, D) that are among its k nearest by `ours`; itself left out."""
    k = min(k, len(ours) - 1)
    if k < 1:
        return 1.0
    shares = [
        len(np.intersect1d(mine, other)) / k for mine, other in zip(_nearest(ours, k), _nearest(theirs, k), strict=True)
    ]
    return float(np.mean(shares))


def outside(found: Parity, allowed: Tolerance, *, rounds: bool) -> list[str]:
    """What of a format is outside the tolerance, each with its figure and its bound.

    rounds: it has 8 bits, and what the run fitted in closed form was fitted on those again: its vectors may point elsewhere, all
    together, and only what they find counts.
    """
    faults = []
    if not rounds and not found.cosine_mean >= allowed.cosine:
        faults.append(f"mean cosine {found.cosine_mean:.5f} is below {allowed.cosine:g}")
    if not rounds and not found.cosine_min >= allowed.least:
        faults.append(f"of one picture the cosine is {found.cosine_min:.5f}, below {allowed.least:g}")
    if not found.overlap >= allowed.overlap:
        faults.append(f"of the {OVERLAP_AT} nearest it finds {found.overlap:.3f}, less than {allowed.overlap:g}")
    if not found.difference.value >= -allowed.recall:
        low, high = found.difference.low, found.difference.high
        faults.append(
            f"recall@1 falls by {-found.difference.value:.4f} ({-high:.4f} to {-low:.4f}), more than {allowed.recall:g}"
        )
    return faults


def _nearest(vectors: np.ndarray, k: int) -> np.ndarray:
    """The k nearest of each but itself, in no order (N, k)."""
    parts = []
    for start in range(0, len(vectors), BLOCK):
        scores = vectors[start : start + BLOCK] @ vectors.T
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -np.inf
        parts.append(np.argpartition(-scores, k - 1, axis=1)[:, :k])
    return np.concatenate(parts)
