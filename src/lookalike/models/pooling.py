"""How a feature map becomes one vector: mean, maximum, or the generalised mean between them.

In: a network that pools its last feature map. Out: the same network, pooling another way. Never: touches a weight.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from lookalike.settings import DataError

Pooling = Literal[
    "own", "avg", "max", "gem", "gem_fixed"
]  # own: the network's; gem learns its power, gem_fixed keeps it

LEAST = 1e-6  # keeps the slope of x^p finite at 0
POWER = 3.0  # where a generalised mean begins


class GeM(nn.Module):
    """Generalised mean over each plane of a map (B, C, H, W) -> (B, C, 1, 1).

        y = (mean of x^p) ^ (1/p)        p = 1: the mean; p to infinity: the maximum

    Radenovic et al. 2018, arXiv:1711.02512, who found p near 3 best for retrieval. What is below 0 counts as 0.
    """

    power: Tensor

    def __init__(self, power: float = POWER, *, learnt: bool = True) -> None:
        super().__init__()
        start = torch.tensor(power)
        if learnt:
            self.power = nn.Parameter(start)
        else:
            self.register_buffer("power", start)

    def forward(self, planes: Tensor) -> Tensor:
        """Each plane to its generalised mean."""
        return planes.clamp(min=LEAST).pow(self.power).mean((2, 3), keepdim=True).pow(1 / self.power)

    def extra_repr(self) -> str:
        """What `print` shows of it."""
        return f"learnt={isinstance(self.power, nn.Parameter)}"


POOLS: Mapping[str, Callable[[], nn.Module]] = {
    "avg": partial(nn.AdaptiveAvgPool2d, 1),
    "max": partial(nn.AdaptiveMaxPool2d, 1),
    "gem": GeM,
    "gem_fixed": partial(GeM, learnt=False),
}


def repool(network: nn.Module, pooling: Pooling) -> None:
    """Put another pooling in the place of the network's own; "own" leaves it."""
    if pooling == "own":
        return
    place = next((name for name, part in network.named_modules() if _is_last_pooling(name, part)), None)
    if place is None:
        raise DataError(
            f"backbone.pooling={pooling}: this {type(network).__name__} has no pooling of a feature map that could be "
            "replaced; use backbone.pooling=own, or a convolutional network of timm"
        )
    parent, _, name = place.rpartition(".")
    setattr(network.get_submodule(parent), name, POOLS[pooling]())


def _is_last_pooling(name: str, part: nn.Module) -> bool:
    """Where timm and torchvision pool their last map; squeeze-and-excitation pools by the same module, under other names."""
    to_one = isinstance(part, nn.AdaptiveAvgPool2d) and part.output_size in (1, (1, 1))
    return to_one and (name == "avgpool" or name.endswith("global_pool.pool"))
