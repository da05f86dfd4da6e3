"""What stands between a backbone's features and the embedding.

In: the features' width. Out: a module (B, width) -> (B, dimensions). Never: normalises; the embedder does, for every head.
"""

from typing import Annotated

from annotated_types import Interval
from torch import nn


def linear(width: int, *, dimensions: Annotated[int, Interval(ge=1, le=65536)] = 128) -> nn.Module:
    """One linear map."""
    return nn.Linear(width, dimensions, bias=False)


def identity(width: int) -> nn.Module:  # noqa: ARG001 - every head is told the width
    """The features themselves."""
    return nn.Identity()
