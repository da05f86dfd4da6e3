"""The triplet loss: an anchor nearer to its twin than to a stranger, by a margin.

In: a batch of embeddings and the label of each. Out: a scalar. Never: samples a batch or keeps anything between batches.
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from lookalike.losses.pairs import Pairs, pairs
from lookalike.settings import ConfigError

Mining = Literal["all", "semi_hard", "hard"]


def triplet(
    embeddings: Tensor,
    labels: Tensor,
    others: Tensor | None = None,
    other_labels: Tensor | None = None,
    *,
    mining: Mining = "semi_hard",
    margin: Annotated[float, Interval(ge=0)] = 0.2,
    soft: bool = False,
) -> Tensor:
    """Keep every anchor nearer to its twins than to its strangers.

        gap(a, p, n) = |e_a - e_p| - |e_a - e_n|
        L = mean over triplets of  max(0, margin + gap),   or of  log(1 + exp(margin + gap))  where `soft`

    a: the batch; p: its twins and n: its strangers among the others (the batch itself where none are given). `mining` says
    over which triplets the mean goes:
        all        those that are active, margin + gap > 0 (every one where `soft`)     Hermans et al. 2017, batch all, non-zero
        semi_hard  the active ones whose stranger is further than the twin, gap < 0      Schroff et al. 2015
        hard       one an anchor: its furthest twin and nearest stranger, active or not  Hermans et al. 2017, batch hard
    An anchor without a twin or a stranger has no triplet. Hermans's own soft margin is `soft` with a margin of 0.
    embeddings (B, D), labels (B,), others (N, D), other_labels (N,) -> scalar; 0 without triplets.
    """
    if mining == "semi_hard" and margin == 0:
        raise ConfigError(
            "no stranger is ever within a margin of 0: mining=semi_hard would learn nothing; raise loss.margin"
        )
    compared = pairs(embeddings, labels, others, other_labels)
    violation = margin + (_hardest_gaps(compared) if mining == "hard" else _gaps(compared))
    if mining == "semi_hard":
        violation = violation[(violation > 0) & (violation < margin)]
    elif mining == "all" and not soft:
        violation = violation[violation > 0]
    terms = F.softplus(violation) if soft else violation.relu()
    return terms.mean() if len(terms) else 0 * embeddings.sum()


def _gaps(compared: Pairs) -> Tensor:
    """The gap of every triplet (T,). Built twin pair by twin pair: a cube of B x N x N would not fit beside a memory."""
    distance, twins, strangers = compared
    anchor, twin = twins.nonzero(as_tuple=True)
    return (distance[anchor, twin][:, None] - distance[anchor])[strangers[anchor]]


def _hardest_gaps(compared: Pairs) -> Tensor:
    """The largest gap of every anchor that has a twin and a stranger (A,)."""
    distance, twins, strangers = compared
    usable = twins.any(1) & strangers.any(1)
    furthest_twin = distance.masked_fill(~twins, -torch.inf).amax(1)
    nearest_stranger = distance.masked_fill(~strangers, torch.inf).amin(1)
    return furthest_twin[usable] - nearest_stranger[usable]
