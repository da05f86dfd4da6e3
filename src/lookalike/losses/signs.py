"""What a batch of embeddings shows about the learning, and what is wrong with it, in words.

In: the embeddings of a batch and the label of each. Out: a few numbers; a sentence where they are bad. Never: changes a weight.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from lookalike.losses.pairs import Pairs, pairs

ALIKE = 0.05  # strangers nearer than this, on average, are one point: at random they are 1.41 apart
MARGIN = 0.2  # what triplets are counted by where the loss has no margin between twin and stranger
ONE_DIRECTION = 1.1  # effective rank: all embeddings lie along one line


@torch.no_grad()
def signs(embeddings: Tensor, labels: Tensor, *, margin: float = MARGIN) -> dict[str, float]:
    """The signs of one batch; those that it cannot show, for want of twins or strangers, are left out.

        signs/active_triplets    share of all triplets whose stranger is less than `margin` further away than the twin
        signs/twin_distance      mean over twin pairs
        signs/stranger_distance  mean over stranger pairs
        signs/hardest_stranger   mean over pictures of the distance to the nearest stranger
        signs/effective_rank     exp of the entropy of the singular values, as shares of their sum: in how many directions the
                                 embeddings spread; 1 to min(B, D). Roy, Vetterli 2007
    embeddings (B, D), labels (B,).
    """
    embeddings = embeddings.float()
    compared = pairs(embeddings, labels)
    found = {"signs/effective_rank": effective_rank(embeddings)}
    if compared.twins.any():
        found["signs/twin_distance"] = float(compared.distance[compared.twins].mean())
    if compared.strangers.any():
        found["signs/stranger_distance"] = float(compared.distance[compared.strangers].mean())
        found["signs/hardest_stranger"] = _hardest_stranger(compared)
    if (share := _active_triplets(compared, margin)) is not None:
        found["signs/active_triplets"] = share
    return found


def effective_rank(embeddings: Tensor) -> float:
    """In how many directions embeddings (B, D) spread: exp of the entropy of their singular values; 0 where all are zero."""
    values = torch.linalg.svdvals(embeddings)
    shares = values[values > 0] / values.sum()
    return float((-(shares * shares.log()).sum()).exp()) if len(shares) else 0.0


def _hardest_stranger(compared: Pairs) -> float:
    nearest = compared.distance.masked_fill(~compared.strangers, torch.inf).amin(1)
    return float(nearest[compared.strangers.any(1)].mean())


def _active_triplets(compared: Pairs, margin: float) -> float | None:
    anchor, twin = compared.twins.nonzero(as_tuple=True)
    strangers = compared.strangers[anchor]
    active = compared.distance[anchor] < compared.distance[anchor, twin][:, None] + margin
    return float(active[strangers].float().mean()) if strangers.any() else None


def warning(found: Mapping[str, float], *, hinged: bool) -> str:
    """What is wrong with a training that shows such signs, and the mend; "" where nothing is.

    hinged: the loss is a hinge on triplets, by the margin that they were counted by: without an active one it has no slope.
    Any other loss learns on from triplets that are not active.
    """
    rank, apart = found["signs/effective_rank"], found.get("signs/stranger_distance")
    if rank < ONE_DIRECTION or (apart is not None and apart < ALIKE):
        between = "" if apart is None else f"strangers lie {apart:.3f} apart on average, and "
        return (
            f"collapsed: all embeddings are alike ({between}the effective rank is {rank:.2f}). Lower optimiser.head_lr and "
            "optimiser.backbone_lr, mine more gently (loss.mining=semi_hard or all instead of hard), or warm up for longer"
        )
    if hinged and found.get("signs/active_triplets") == 0:
        return (
            "dead margin: nothing is left to learn from, as every stranger is already further than every twin by the margin "
            f"(twins lie {found['signs/twin_distance']:.2f} apart, their nearest strangers "
            f"{found['signs/hardest_stranger']:.2f}). Raise loss.margin, put more products into a batch (batch.products), "
            "or remember earlier batches (memory.size), so that harder strangers are met"
        )
    return ""
