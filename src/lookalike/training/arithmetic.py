"""In which numbers, and in which order of memory, a network computes while it learns.

In: a word. Out: what it means to Lightning and to the network. Never: decides which is quicker (probe.py does).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to compute. Weights, their updates and the loss are float32 in each."""

    bfloat16: bool = False  # convolutions and matrix products
    channels_last: bool = False  # the channels of a pixel side by side, which convolutions without groups like best

    @property
    def precision(self) -> Literal["bf16-mixed", "32-true"]:
        """As Lightning says it."""
        return "bf16-mixed" if self.bfloat16 else "32-true"


# By the word that a run writes down, so that it goes on in the same way after a kill.
WAYS = {
    "float32": Way(),
    "float32 channels-last": Way(channels_last=True),
    "bfloat16": Way(bfloat16=True, channels_last=True),
}


def lay_out(network: nn.Module, way: Way) -> None:
    """Put a network's weights into the order of memory that the way wants; their values and names stay."""
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=layout)
