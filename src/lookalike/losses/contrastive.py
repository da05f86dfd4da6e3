"""The Siamese loss: pairs of one shared network, twins together, strangers apart.

In: a batch of embeddings and the label of each. Out: a scalar. Never: samples, mines or keeps anything between batches.
"""

from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from lookalike.losses.pairs import pairs


def contrastive(
    embeddings: Tensor,
    labels: Tensor,
    others: Tensor | None = None,
    other_labels: Tensor | None = None,
    *,
    margin: Annotated[float, Interval(gt=0)] = 1.0,
) -> Tensor:
    """Pull every twin pair together and push every stranger pair to at least `margin` apart.

        L = mean over twin pairs of |e_i - e_j|^2  +  mean over stranger pairs within the margin of (margin - |e_i - e_j|)^2

    i: the batch; j: the others, or the batch itself where none are given. Stranger pairs already further than the margin are
    left out of their mean: there are P times more strangers than twins, and most soon lie outside, so that counting their
    zeros would leave nothing to push with.
    embeddings (B, D), labels (B,), others (N, D), other_labels (N,) -> scalar; a side without pairs adds 0.
    Hadsell, Chopra, LeCun 2006.
    """
    distance, twins, strangers = pairs(embeddings, labels, others, other_labels)
    pull = distance[twins].square()
    push = (margin - distance[strangers]).relu().square()
    return _mean(pull) + _mean(push[push > 0])


def _mean(values: Tensor) -> Tensor:
    return values.mean() if len(values) else values.sum()
