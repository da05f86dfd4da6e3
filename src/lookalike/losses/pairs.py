"""Who is compared with whom: the distances of a batch, and which of them are twins and which strangers.

In: embeddings and labels of a batch, and of the others that it is compared with. Out: distances and two masks.
Never: weighs, mines or averages a pair.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """A batch of B against N others: all three are (B, N). A picture is neither its own twin nor its own stranger."""

    distance: Tensor  # Euclidean
    twins: Tensor  # bool: another picture of the same label
    strangers: Tensor  # bool: a picture of another label


def pairs(
    embeddings: Tensor, labels: Tensor, others: Tensor | None = None, other_labels: Tensor | None = None
) -> Pairs:
    """Compare a batch with the others, or with itself where none are given.

    embeddings (B, D), labels (B,), others (N, D), other_labels (N,). The first B of the others are the batch itself.
    A label of -1 is not known: that picture is nobody's twin, and everybody's stranger.
    """
    if others is None or other_labels is None:
        others, other_labels = embeddings, labels
    same = (labels[:, None] == other_labels) & (labels >= 0)[:, None]
    itself = torch.eye(len(labels), len(other_labels), dtype=torch.bool, device=labels.device)
    return Pairs(torch.cdist(embeddings, others), same & ~itself, ~same & ~itself)
