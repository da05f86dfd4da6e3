"""A network with all of its preprocessing inside: decoded pixels of any size in, unit vectors out.

In: an `Embedder`; then pictures (B, H, W, 3) uint8. Out: (B, D) float32 unit vectors, those of Pillow's resize and the embedder
to within a rounding. Never: decodes, masks, or knows a file format.

Resizing is two products of matrices, across and then down, rounded to whole levels between as Pillow rounds them. Their
weights are computed from the picture's own height and width, so one graph takes every size, and needs no operator that one
runtime has and the next lacks: ONNX's antialiased Resize is missing from some, and none knows a letterbox.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookalike.features.resize import How, Interpolation
from lookalike.models.embedder import Embedder

REACH = {
    "bilinear": 1.0,
    "bicubic": 2.0,
    "lanczos": 3.0,
}  # of each kernel to either side, in pixels of the coarser grid


class Resize(nn.Module):
    """Pictures (B, H, W, 3) of any height and width -> (B, S, S, 3) float32, whole levels 0..255, as features/resize has them."""

    def __init__(self, size: int, how: How, interpolation: Interpolation) -> None:
        super().__init__()
        self.size, self.how, self.interpolation = size, how, interpolation

    def forward(self, pictures: Tensor) -> Tensor:
        """Across first, as Pillow does."""
        height, width = pictures.shape[1], pictures.shape[2]
        planes = pictures.permute(0, 3, 1, 2).float()
        across, filled_across = self._weights(width, height, planes)
        down, filled_down = self._weights(height, width, planes)
        squares = _levels(down @ _levels(planes @ across.T))
        if self.how == "letterbox":
            inside = filled_down[:, None] * filled_across
            squares = squares * inside + 255 * (1 - inside)
        return squares.permute(0, 2, 3, 1)

    def _weights(self, side: int, other: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """How much of each of `side` pixels each of S takes (S, side), and which of the S hold any of the picture (S,)."""
        place = torch.arange(self.size, device=like.device, dtype=torch.float32)
        source = torch.arange(side, device=like.device, dtype=torch.float32)
        length, across = (like.new_zeros(()) + one for one in (side, other))
        begin, span, start, count = self._mapping(length, across)
        scale = span / count
        center = begin + (place - start + 0.5) * scale
        width = scale.clamp(min=1.0)
        weights = _kernel((source + 0.5 - center[:, None]) / width, self.interpolation)
        # Pillow rounds the reach of each kernel to whole pixels
        reach = REACH[self.interpolation] * width
        first, last = torch.floor(center - reach + 0.5), torch.floor(center + reach + 0.5)
        weights = weights * (source >= first[:, None]) * (source < last[:, None])
        filled = ((place >= start) & (place < start + count)).float()
        total = weights.sum(1, keepdim=True)
        return weights / torch.where(total == 0, 1.0, total), filled

    def _mapping(self, length: Tensor, across: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Where what is seen begins and how long it is, in the picture's pixels; where in the square it lies, how long."""
        zero, size = torch.zeros_like(length), torch.full_like(length, self.size)
        if self.how == "squash":
            return zero, length, zero, size
        if self.how == "crop":
            side = torch.minimum(length, across)
            return (length - side) / 2, side, zero, size
        count = torch.round(length * (size / torch.maximum(length, across))).clamp(min=1.0)
        return zero, length, torch.floor((size - count) / 2), count


class Sight(nn.Module):
    """Pictures (B, H, W, 3) uint8 of any size -> the backbone's features (B, W): all that looks at pixels."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        said = embedder.preprocessing
        self.resize = Resize(said.size, said.resize, said.interpolation)
        self.embedder = embedder

    def forward(self, pictures: Tensor) -> Tensor:
        """Resize, then all that the embedder does before its head."""
        return self.embedder.features(self.resize(pictures))


class Tail(nn.Module):
    """Features (B, W) -> unit vectors (B, D) float32: all that stands behind the backbone."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.head, self.finish = embedder.head, embedder.finish

    def forward(self, features: Tensor) -> Tensor:
        """What `Embedder.embed_features` does, without its backbone."""
        return F.normalize(self.finish(self.head(features)).float(), dim=1)


class Whole(nn.Module):
    """Pictures (B, H, W, 3) uint8 of any size -> unit vectors (B, D) float32."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.sight, self.tail = Sight(embedder), Tail(embedder)

    def forward(self, pictures: Tensor) -> Tensor:
        """Look, then embed."""
        vectors: Tensor = self.tail(self.sight(pictures))
        return vectors


def _levels(pixels: Tensor) -> Tensor:
    """Whole levels, halves upward."""
    return torch.floor(pixels + 0.5).clamp(0, 255)


def _kernel(away: Tensor, interpolation: Interpolation) -> Tensor:
    """The weight of a pixel so far away, in pixels of the coarser grid."""
    away = away.abs()
    if interpolation == "bilinear":
        return (1 - away).clamp(min=0)
    if interpolation == "lanczos":
        return torch.where(away < 3, torch.sinc(away) * torch.sinc(away / 3), 0.0)
    near = (1.5 * away - 2.5) * away * away + 1  # a = -0.5, Pillow's
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    return torch.where(away < 1, near, torch.where(away < 2, far, 0.0))
