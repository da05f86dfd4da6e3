"""How a photograph becomes what a network sees: one specification with a hash, and the part of it that runs in the network.

In: the settings of the pixels and a backbone's record; then pictures (B, S, S, 3) uint8, squares already.
Out: a `Preprocessing`, and planes (B, 3, S, S) or (B, 1, S, S) float32. Never: decodes, resizes or draws at random;
size, resize, interpolation and mask are obeyed by features/, before the cache.

The order is luminance, blur, subtraction, normalisation. Luminance first: a blur and a mean are then those of what the
network sees. Blur before subtraction: the median is that of the blurred picture, which a few stray pixels cannot move.
A picture's own mean or median is taken *in place of* the backbone's mean, which only tells what pictures have on
average: to take both away would leave each picture far darker than any that the backbone has learnt from.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookalike.features.resize import How, Interpolation
from lookalike.models.backbone import Backbone
from lookalike.settings import DataError, Pixels

Subtract = Literal["none", "mean", "median"]

VERSION = 2  # raise it when the same specification begins to give other numbers
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R 601, what JPEG and Pillow call gray
REACH = 4  # standard deviations of a blur's kernel to each side; what lies beyond weighs 0.00006


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The one specification that training, evaluation and every export share. mean and deviation: 3 of each, or 1 if folded."""

    size: int
    resize: How
    interpolation: Interpolation
    gray: bool
    folded: bool
    blur: float
    subtract: Subtract
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    mask: bool = False

    def told(self) -> dict[str, Any]:
        """As plain data, and with the version of this code: all that decides the numbers."""
        numbers = {"blur": float(self.blur), "mean": _floats(self.mean), "deviation": _floats(self.deviation)}
        told = {"version": VERSION, **asdict(self), **numbers}
        return told if self.mask else {name: value for name, value in told.items() if name != "mask"}  # as it once was

    @property
    def sha256(self) -> str:
        """Of `told()` as JSON, its keys sorted and without blanks: equal specifications, and no others, share it."""
        return hashlib.sha256(json.dumps(self.told(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def preprocessing(pixels: Pixels, backbone: Backbone) -> Preprocessing:
    """What the settings ask for, with the backbone's own where they leave it open. A folded one needs a folded backbone."""
    if pixels.folded != (len(backbone.mean) == 1):
        raise ValueError("pixels.folded goes with a backbone from backbone.folded(), and only with that")
    size = pixels.size or backbone.size
    if backbone.only_size and size != backbone.size:
        raise DataError(
            f"pixels.size={size}: this backbone takes pictures of {backbone.size} only; set pixels.size={backbone.size}, "
            "or 0, which is its own"
        )
    return Preprocessing(
        size=size,
        resize=pixels.resize,
        interpolation=pixels.interpolation or backbone.interpolation,
        gray=pixels.gray,
        folded=pixels.folded,
        blur=pixels.blur,
        subtract=pixels.subtract,
        mean=backbone.mean,
        deviation=backbone.deviation,
        mask=pixels.mask,
    )


class Prepare(nn.Module):
    """Pictures (B, S, S, 3) uint8 -> what the backbone was trained on (B, 3, S, S), or (B, 1, S, S) where it is folded."""

    mean: Tensor
    deviation: Tensor
    luminance: Tensor
    kernel: Tensor

    def __init__(self, said: Preprocessing) -> None:
        super().__init__()
        self.said = said
        numbers = {"mean": said.mean, "deviation": said.deviation, "luminance": LUMINANCE}
        for name, values in numbers.items():
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("kernel", gaussian(said.blur) if said.blur else torch.ones(1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """A gray plane is replicated last of all."""
        pixels = pictures.permute(0, 3, 1, 2).float() / 255
        if self.said.gray:
            pixels = (pixels * self.luminance).sum(1, keepdim=True)
        if self.said.blur:
            pixels = blurred(pixels, self.kernel)
        planes = pixels.expand(
            -1, self.deviation.shape[1], -1, -1
        )  # said aloud: CoreML folds a mean of three into a blur of one
        return (planes - self._center(pixels)) / self.deviation

    def _center(self, pixels: Tensor) -> Tensor:
        """What is taken away: (1 or B, C, 1, 1)."""
        if self.said.subtract == "none":
            return self.mean
        return pixels.mean((2, 3), keepdim=True) if self.said.subtract == "mean" else median(pixels)

    def extra_repr(self) -> str:
        """What `print` shows of it."""
        return f"sha256={self.said.sha256}"


def gaussian(deviation: float) -> Tensor:
    """The weights of a blur of this standard deviation in pixels (K,), K odd, their sum 1."""
    reach = math.ceil(REACH * deviation)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / deviation) ** 2)
    return (weights / weights.sum()).float()


def blurred(pixels: Tensor, kernel: Tensor) -> Tensor:
    """Planes (B, C, H, W) convolved with the kernel (K,) along both axes; beyond an edge, its pixels go on."""
    reach, channels = len(kernel) // 2, pixels.shape[1]
    across = kernel.expand(channels, 1, 1, -1)
    wide = F.conv2d(F.pad(pixels, (reach, reach, 0, 0), "replicate"), across, groups=channels)
    return F.conv2d(F.pad(wide, (0, 0, reach, reach), "replicate"), across.transpose(2, 3), groups=channels)


def median(pixels: Tensor) -> Tensor:
    """Of each plane (B, C, H, W) -> (B, C, 1, 1); of an even number the mean of the middle two, as numpy has it.

    By sorting: ONNX knows no median.
    """
    values = pixels.flatten(2).sort(dim=2).values
    middle = values.shape[2] // 2
    low = values[:, :, middle if values.shape[2] % 2 else middle - 1]
    return ((low + values[:, :, middle]) / 2)[:, :, None, None]


def _floats(values: tuple[float, ...]) -> list[float]:
    return [float(value) for value in values]
