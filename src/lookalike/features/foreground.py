"""Where in a picture the product is.

In: product pictures (B, S, S, 3) uint8 on white or another plain ground. Out: masks (B, S, S) bool, True on the product,
never empty. Never: learns anything, or takes a pixel for ground because it is white.

Ground is what is reached from the border without crossing a wall. Walls are pixels that no shadow explains (tinted, or
far darker than the ground) and edges, closed over gaps of a sixteenth of the side: what keeps a white shoe white is
its outline. A soft shadow is neutral and has no edge, so the ground runs on beneath it.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float, float, float]  # left, top, right, bottom
Mask = NDArray[Any]  # of uint8, 0 or 1: what OpenCV calculates with

WHITE = 240  # a border pixel at least so light in all channels stands for a white ground...
WHITE_SHARE = 0.25  # ...where so many do; the rest of the border may be the product
PLAIN_SHARE = 0.5  # any other ground is plain if so much of the border...
NOISE = 12  # ...is within so many levels of its median
NEAR = 30  # levels between the ground and its shades: soft shadow, JPEG noise, the blend along an outline
TINT = 16  # levels between the channels' departures that no gray shadow has
DARK = 90  # levels below the ground that no soft shadow has
EDGE = (8, 20)  # Canny's two thresholds on a ground without noise...
EDGE_OF_NOISE = (8, 12)  # ...and what each level of the ground's noise adds
HOLE = 0.01  # share of the picture: a smaller hole is a gleam or a label, a larger one may be seen through
SPECK = 0.02  # share of all that is not ground: a smaller piece is dirt
AIR = 0.02  # of a side, left around a product that is cut out
FULL = 0.85  # of the picture: what is larger than that is not worth cutting out
MIDDLE = 0.42  # radius, in sides, of the disc that stands for a product on a ground that is not plain


def foreground(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mask the product in each picture (B, S, S, 3) -> (B, S, S).

    A hole is filled unless it is large and as plain as the ground (one sees through a bag's handle). Where the ground is
    not plain, a disc in the middle stands for the product; where there is nothing but ground, all of the picture.
    """
    masks = np.ones(pictures.shape[:3], np.bool_)
    for mask, picture in zip(masks, pictures, strict=True):
        mask[:] = _product(np.ascontiguousarray(picture))
    return masks


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture (S, S, 3) with all but the product painted white."""
    return np.where(foreground(picture[None])[0][..., None], picture, np.uint8(255))


def bounds(picture: NDArray[np.uint8]) -> Bounds | None:
    """Where in one picture (S, S, 3) the product is, as shares of its sides and with a little air around it.

    None where the ground is not plain, so that nobody can tell, and where the product fills the picture.
    """
    if _ground(_border(np.ascontiguousarray(picture))) is None:
        return None
    return around(foreground(picture[None])[0])


def around(mask: NDArray[np.bool_]) -> Bounds | None:
    """What a mask (H, W) covers, as shares of its sides and with a little air; None where that is nearly all, or nothing."""
    if not mask.any():
        return None
    left, right = _between(np.asarray(mask.any(0)))
    top, bottom = _between(np.asarray(mask.any(1)))
    return None if (right - left) * (bottom - top) > FULL else (left, top, right, bottom)


def _between(line: NDArray[np.bool_]) -> tuple[float, float]:
    there = np.flatnonzero(line)
    return max(float(there[0]) / len(line) - AIR, 0.0), min(float(there[-1] + 1) / len(line) + AIR, 1.0)


def _product(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The mask (S, S) of one picture (S, S, 3)."""
    size = len(picture)
    border = _border(picture)
    ground = _ground(border)
    if ground is None:
        return _middle(size)
    spread = _spread(border, ground)
    far, tint = _departure(picture, ground)
    walls = _edges(picture, spread) | (tint > TINT) | (far > DARK)
    outside = _reached_from_border(walls.astype(np.uint8))
    outside |= _seen_through(~walls & (far <= spread + 1) & (outside == 0))
    outside |= _grown(outside, size / 22) & (far <= NEAR)  # the blend along the outline
    return _without_specks(1 - outside)


def _border(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels (N, 3) of the picture's frame."""
    wide = max(len(picture) // 56, 1)
    sides = picture[:wide], picture[-wide:], picture[:, :wide], picture[:, -wide:]
    return np.concatenate([side.reshape(-1, 3) for side in sides])


def _ground(border: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The ground's color (3,), None where the border has no color of its own."""
    white = border.min(1) >= WHITE
    is_white = white.mean() >= WHITE_SHARE
    color: NDArray[np.uint8] = np.median(border[white] if is_white else border, axis=0).astype(np.uint8)
    is_plain = is_white or np.mean(_away(border, color) <= NOISE) >= PLAIN_SHARE
    return color if is_plain else None


def _away(pixels: NDArray[np.uint8], color: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels between pixels (N, 3) and a color, in the channel where they differ most (N,)."""
    away: NDArray[np.uint8] = (np.maximum(pixels, color) - np.minimum(pixels, color)).max(1)
    return away


def _spread(border: NDArray[np.uint8], ground: NDArray[np.uint8]) -> int:
    """How noisy the ground is: the levels within which nine tenths of it lie."""
    away = _away(border, ground)
    return min(int(np.percentile(away[away <= NEAR], 90)), NOISE)


def _departure(picture: NDArray[np.uint8], ground: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """How far each pixel lies from the ground, and how unequally in the channels: (S, S) each."""
    red, green, blue = cv2.split(cv2.absdiff(picture, np.broadcast_to(ground, picture.shape).copy()))
    most = np.maximum(np.maximum(red, green), blue)
    return most, most - np.minimum(np.minimum(red, green), blue)


def _edges(picture: NDArray[np.uint8], spread: int) -> NDArray[np.bool_]:
    """Outlines, also faint ones: the less noise, the fainter."""
    low, high = (edge + noise * spread for edge, noise in zip(EDGE, EDGE_OF_NOISE, strict=True))
    smooth = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (3, 3), 0)
    return np.asarray(cv2.Canny(smooth, low, high, L2gradient=True) > 0)


def _reached_from_border(walls: Mask) -> Mask:
    """What a flood from outside the picture reaches, once gaps in the walls are closed."""
    gap = _disc(len(walls) / 16)
    wide = len(gap)
    yard = cv2.copyMakeBorder(walls, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(yard, cv2.MORPH_CLOSE, gap)
    cv2.floodFill(closed, None, (0, 0), 2)
    return np.asarray(closed[wide:-wide, wide:-wide] == 2, np.uint8)


def _grown(mask: Mask, across: float) -> NDArray[np.bool_]:
    """The mask and what a disc of so many pixels across touches from it."""
    return cv2.dilate(mask, _disc(across)) > 0


def _seen_through(plain: NDArray[np.bool_]) -> Mask:
    """The large pieces of what looks like ground and is walled in."""
    opened = cv2.morphologyEx(plain.astype(np.uint8), cv2.MORPH_OPEN, _disc(3))
    return _pieces(opened, HOLE * plain.size).astype(np.uint8)


def _without_specks(product: Mask) -> NDArray[np.bool_]:
    """The pieces that are not small beside the whole; all of the picture where there is none."""
    opened = cv2.morphologyEx(product, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    pieces = _pieces(opened, SPECK * int(opened.sum()))
    return pieces if pieces.any() else np.ones_like(pieces)


def _pieces(mask: Mask, least: float) -> NDArray[np.bool_]:
    """The connected pieces of at least so many pixels."""
    _, labels = cv2.connectedComponents(mask)
    large = np.bincount(labels.ravel()) >= least
    large[0] = False  # what is not in the mask
    kept: NDArray[np.bool_] = large[labels]
    return kept


def _disc(across: float) -> Mask:
    """A disc of about so many pixels across, an odd number, three at least: what morphology rolls along a shape."""
    side = max(2 * round((across - 1) / 2) + 1, 3)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _middle(size: int) -> NDArray[np.bool_]:
    """A disc in the middle of a square, for want of an outline."""
    along = (np.arange(size) + 0.5) / size - 0.5
    return along[:, None] ** 2 + along**2 <= MIDDLE**2
