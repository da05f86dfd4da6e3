"""The joint of the house: an embedder is any callable from pictures (B, S, S, 3) uint8 to unit vectors (B, D).

In: pictures as uint8, as the cache keeps them. Out: float32 unit vectors. Never: reads files, knows products or scores anything.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookalike.models.backbone import Backbone

Embed = Callable[[np.ndarray], np.ndarray]  # (B, S, S, 3) uint8 -> (B, D) float32, each row of length 1

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R 601, what JPEG and Pillow call gray


class Embedder(nn.Module):
    """uint8 pictures -> backbone -> head -> unit vectors. Preprocessing is inside, so nobody can forget it."""

    mean: Tensor
    deviation: Tensor
    luminance: Tensor

    def __init__(self, backbone: Backbone, head: nn.Module, *, gray: bool = False) -> None:
        super().__init__()
        self.backbone, self.head, self.gray = backbone.network, head, gray
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(backbone.deviation).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("luminance", torch.tensor(LUMINANCE).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, S, S, 3) uint8 -> unit vectors (B, D) float32."""
        pixels = pictures.permute(0, 3, 1, 2).float() / 255
        if self.gray:
            pixels = (pixels * self.luminance).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        features = self.backbone((pixels - self.mean) / self.deviation)
        return F.normalize(self.head(features).float(), dim=1)


def as_callable(embedder: Embedder) -> Embed:
    """The embedder as numpy in, numpy out, in evaluation mode and without gradients."""

    def embed(pictures: np.ndarray) -> np.ndarray:
        embedder.eval()
        with torch.inference_mode():
            vectors: np.ndarray = embedder(torch.from_numpy(np.array(pictures))).numpy()  # a copy: a map is read-only
        return vectors

    return embed


def embed_all(
    embed: Embed, pictures: np.ndarray, *, batch: int = 64, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """Every picture's vector, a batch at a time. pictures (N, S, S, 3) uint8 -> (N, D) float32."""
    parts = []
    for start in range(0, len(pictures), batch):
        parts.append(embed(pictures[start : start + batch]))
        if progress:
            progress(len(parts[-1]))
    return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
