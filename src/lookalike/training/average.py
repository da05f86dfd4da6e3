"""A running average of weights: steadier than the last ones, and often better.

In: an embedder that learns. Out: its average, which is validated and kept in its stead. Never: touches the learning one.
"""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """A copy that `update_parameters(network)` moves a little way towards the network after each step.

        average <- average + (1 - d) (network - average),   d = min(decay, (1 + n) / (10 + n)),   n: how often it moved

    d is small at first, or the average would long remember the beginning. What does not change is averaged to itself,
    to the last bit; statistics of batch norm are averaged too, and counts are copied.
    """

    def moved(average: Tensor, now: Tensor, times: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return now
        return average.lerp(now, 1 - min(decay, (1 + int(times)) / (10 + int(times))))

    average = AveragedModel(network, avg_fn=moved, use_buffers=True)
    average.requires_grad_(False)
    return average
