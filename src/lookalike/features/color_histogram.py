"""What colors a product has, as a unit vector: an embedder that learns nothing.

In: product pictures (B, S, S, 3) uint8. Out: (B, D) float32 unit vectors whose inner product is the overlap of two
products' colors, 0 to 1. Never: counts the ground, or tells where on the product a color is.

Colors are counted in CIELAB, where the distance that one sees is the distance that one calculates, with saturated colors
drawn together as CIEDE2000 does (0 to 100 in lightness, about 36 in chroma): black, gray, white and the pale colors that
fashion is made of lie as far apart as vivid hues. A pixel is shared among bins by a Gaussian, so that what a change of
light moves by a little changes by a little: a color that moves by d has an overlap of about exp(-(d / softness)^2 / 8)
with what it was.

Of 1,590 shoes and bags at 112 px, the nearest by color bears the same color name in 0.64 of cases; without hues in 0.38,
without lightness in 0.48. A softness of 2.5 with twice the bins has 0.655, but calls a slightly other light another color.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from lookalike.features.foreground import foreground

Floats = NDArray[Any]
Count = Annotated[int, Interval(ge=1, le=32)]
Counts = tuple[int, int, int]  # along lightness, a and b

# The axes of lightness, a and b after drawing together. Of a and b, sRGB has -34.9 to 36.4.
LOW = np.array([0, -40, -40], np.float32)
WIDTH = np.array([100, 80, 80], np.float32)
EIGHT = np.indices((2, 2, 2)).reshape(3, 8).T  # the corners of a cell
TO_XYZ = np.array(  # linear sRGB to CIE XYZ, D65
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
TO_WHITE = (TO_XYZ / TO_XYZ.sum(1, keepdims=True)).T.astype(np.float32)  # ... in shares of white, for pixels in rows
CODED = np.arange(256) / 255
LINEAR = np.where(CODED <= 0.04045, CODED / 12.92, ((CODED + 0.055) / 1.055) ** 2.4).astype(np.float32)


def color_histogram(
    pictures: NDArray[np.uint8],
    *,
    lightness: Count = 11,
    bins: Count = 9,
    softness: Annotated[float, Interval(ge=2, le=50)] = 5.5,
) -> NDArray[np.float32]:
    """Embed pictures (B, S, S, 3) by the colors of their foreground -> (B, D) unit vectors.

    lightness: bins from black to white; 1 leaves shades out. bins: along each of the two axes of hue, green to red and
    blue to yellow; 1 leaves hues out. softness: the Gaussian's standard deviation, in Delta-E near gray.
    Those of the lightness x bins x bins that no color of a screen is nearest to are left out: D is 335.
    The vector is the square root of the shares (Hellinger), its inner product the Bhattacharyya coefficient.
    """
    grid = _grid(lightness, bins, softness)
    vectors = np.empty((len(pictures), len(grid.kept)), np.float32)
    for vector, picture, mask in zip(vectors, pictures, foreground(pictures), strict=True):
        amplitude = np.sqrt(_shares(picture[mask], grid))
        vector[:] = amplitude / np.linalg.norm(amplitude)
    return vectors


def cielab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """SRGB pixels (N, 3) to CIELAB under D65: lightness 0..100, a from green to red, b from blue to yellow (N, 3)."""
    share = LINEAR[pixels] @ TO_WHITE
    x, y, z = np.where(share > 216 / 24389, np.cbrt(share), share * (841 / 108) + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1).astype(np.float32)


def drawn_together(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB (N, 3) with its chroma C brought to ln(1 + 0.045 C) / 0.045, the hue as it is.

    A step of C then counts for 1 / (1 + 0.045 C) of itself, as in CIEDE2000.
    """
    chroma = np.maximum(0.045 * np.hypot(lab[:, 1], lab[:, 2]), 1e-6)
    factor = np.log1p(chroma) / chroma
    return lab * np.stack([np.ones_like(factor), factor, factor], axis=1)


@dataclass(frozen=True)
class _Grid:
    """Where colors are counted: first finely, each pixel on the eight corners about it, then by Gaussians in bins."""

    fine: Counts  # corners
    to_lightness: Floats  # (fine lightness, lightness): the share that each bin takes of each corner
    to_bins: Floats  # (fine a or b, bins)
    kept: NDArray[np.int64]  # (D,) which of the lightness * bins * bins
    worth: Floats  # of each corner: what makes up for the bins that are not kept, so that every pixel counts for one


@lru_cache(maxsize=16)
def _grid(lightness: int, bins: int, softness: float) -> _Grid:
    """The grid of these options; nobody changes it."""
    light, hue, _ = (math.ceil(width / softness) + 1 for width in WIDTH)  # no further apart than the Gaussian is wide
    to_lightness, to_bins = _gaussian(light, lightness, WIDTH[0], softness), _gaussian(hue, bins, WIDTH[1], softness)
    kept = _of_a_screen((lightness, bins, bins))
    is_kept = np.isin(np.arange(lightness * bins * bins), kept).reshape(lightness, bins, bins)
    share = np.einsum("li,aj,bk,ijk->lab", to_lightness, to_bins, to_bins, is_kept, optimize=True)
    return _Grid((light, hue, hue), to_lightness, to_bins, kept, 1 / np.maximum(share, 1e-6))


def _gaussian(corners: int, bins: int, width: float, softness: float) -> Floats:
    """The share that each of the bins takes of each of the corners on an axis, (corners, bins)."""
    apart = np.linspace(0, width, corners)[:, None] - (np.linspace(0, width, bins) if bins > 1 else width / 2)
    exponent = -0.5 * (apart / softness) ** 2
    weight = np.exp(exponent - exponent.max(1, keepdims=True))  # the nearest bin has 1, however far it is
    return np.asarray(weight / weight.sum(1, keepdims=True))


def _of_a_screen(bins: Counts) -> NDArray[np.int64]:
    """The bins that are the nearest one of some sRGB color."""
    level = np.arange(0, 256, 5).astype(np.uint8)
    colors = np.stack(np.meshgrid(level, level, level), axis=-1).reshape(-1, 3)
    nearest = np.rint(_along(colors, bins)).astype(np.int64)
    return np.unique(np.ravel_multi_index(tuple(nearest), bins))


def _along(pixels: NDArray[np.uint8], marks: Counts) -> NDArray[np.float32]:
    """Where pixels (N, 3) lie on each axis (3, N), 0 at its first mark, 1 at the next."""
    share = (drawn_together(cielab(pixels)) - LOW) / WIDTH
    return np.ascontiguousarray(share.T) * (np.array(marks, np.float32)[:, None] - 1)


def _shares(pixels: NDArray[np.uint8], grid: _Grid) -> Floats:
    """How much of the pixels (N, 3) each bin takes (D,); together 1."""
    counted = _on_corners(_along(pixels, grid.fine), grid.fine) * grid.worth
    by_hue = grid.to_bins.T @ (counted @ grid.to_bins)
    return np.tensordot(grid.to_lightness, by_hue, axes=(0, 0)).ravel()[grid.kept] / len(pixels)


def _on_corners(places: NDArray[np.float32], fine: Counts) -> Floats:
    """Places (3, N) counted on a grid: each shared linearly among the eight corners of its cell."""
    last_cell = np.array(fine, np.float32)[:, None] - 2
    cell = np.clip(np.floor(places), 0, last_cell)
    beyond = np.clip(places - cell, 0, 1)
    light, a, b = np.stack([1 - beyond, beyond], axis=1)  # each (2, N): of the corner before, of the corner after
    weight = light[:, None, None] * a[:, None] * b  # (2, 2, 2, N)
    stride = np.array([fine[1] * fine[2], fine[2], 1])
    corner = stride @ cell.astype(np.int64) + (EIGHT @ stride)[:, None]  # (8, N)
    return np.bincount(corner.ravel(), weight.ravel(), math.prod(fine)).reshape(fine)
