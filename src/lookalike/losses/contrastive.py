"""The Siamese loss: pairs of one shared network, twins together, strangers apart.

In: a batch of embeddings and the product of each. Out: a scalar. Never: samples, mines or keeps anything between batches.
"""

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor


def contrastive(embeddings: Tensor, products: Tensor, *, margin: Annotated[float, Interval(gt=0)] = 1.0) -> Tensor:
    """Pull every twin pair together and push every stranger pair to at least `margin` apart.

        L = mean over twin pairs of |e_i - e_j|^2  +  mean over stranger pairs within the margin of (margin - |e_i - e_j|)^2

    Stranger pairs already further than the margin are left out of their mean: there are P times more strangers than twins, and
    most soon lie outside, so that counting their zeros would leave nothing to push with.
    embeddings (B, D), products (B,) -> scalar; a side without pairs adds 0. Hadsell, Chopra, LeCun 2006.
    """
    first, second = torch.triu_indices(len(products), len(products), offset=1, device=embeddings.device)
    distance = (embeddings[first] - embeddings[second]).norm(dim=1)
    twins = products[first] == products[second]
    pull = distance[twins].square()
    push = (margin - distance[~twins]).relu().square()
    return _mean(pull) + _mean(push[push > 0])


def _mean(values: Tensor) -> Tensor:
    return values.mean() if len(values) else values.sum()
