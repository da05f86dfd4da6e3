"""What stands between a backbone's features and the embedding.

In: the features' width. Out: a module (B, width) -> (B, dimensions). Never: normalises; the embedder does, for every head.
"""

from typing import Annotated, Literal

from annotated_types import Interval
from torch import nn

Width = Annotated[int, Interval(ge=1, le=65536)]


def linear(width: int, *, dimensions: Width = 128) -> nn.Module:
    """One linear map."""
    return nn.Linear(width, dimensions, bias=False)


def identity(width: int) -> nn.Module:  # noqa: ARG001 - every head is told the width
    """The features themselves."""
    return nn.Identity()


def projection(
    width: int, *, hidden: Width = 512, dimensions: Width = 128, norm: Literal["batch", "layer"] = "batch"
) -> nn.Module:
    """Two linear maps with a bend between them. norm=layer does not look at the batch, which suits small ones."""
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False),  # the norm has one
        nn.BatchNorm1d(hidden) if norm == "batch" else nn.LayerNorm(hidden),
        nn.ReLU(),
        nn.Linear(hidden, dimensions, bias=False),
    )
