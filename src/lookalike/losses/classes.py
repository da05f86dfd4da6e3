"""Class transfer: learn to name the class of a picture, and embed with the layer before the name.

In: a batch of unnormalised features and the class of each. Out: a scalar. Never: compares two pictures.
"""

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from lookalike.settings import ConfigError


class CrossEntropy(nn.Module):
    """A linear classifier and its cross-entropy; both learn, and the classifier is thrown away afterwards.

    L = mean over pictures of known class of  -log softmax(W x + b)[class]
    """

    raw = True  # it is given the head's output before it is normalised: on the unit sphere logits could not grow
    takes_others = False

    def __init__(self, dimensions: int, classes: int, *, smoothing: float = 0.0) -> None:
        super().__init__()
        self.classifier = nn.Linear(dimensions, classes)
        self.smoothing = smoothing

    def forward(
        self,
        features: Tensor,
        labels: Tensor,
        others: Tensor | None = None,  # noqa: ARG002
        other_labels: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """Features (B, D), labels (B,) -> scalar; pictures labelled -1 do not count. The others are not looked at."""
        known = labels >= 0
        if not known.any():
            return 0 * features.sum()
        return F.cross_entropy(self.classifier(features[known]), labels[known], label_smoothing=self.smoothing)


def cross_entropy(
    dimensions: int, classes: int, *, smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
) -> CrossEntropy:
    """Class transfer over so many classes. smoothing: the share of the truth that is spread over the other classes."""
    if classes < 2:
        raise ConfigError(
            f"class transfer needs 2 classes or more to tell apart, and there is {classes}; set another match"
        )
    return CrossEntropy(dimensions, classes, smoothing=smoothing)
