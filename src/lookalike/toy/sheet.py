"""Sheets: grids of points in space, the one kind of surface that everything here is made of, and how to make them.

In: curves and widths. Out: arrays of points. Never: colors anything.

Units: the length of a foot is 1. x runs from heel to toe, y to the outside, z up; of a bag x runs along its width, y to
its front.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[Any]  # of float32 where it is large


@dataclass(frozen=True)
class Sheet:
    """A surface with its skin (H, W, 7): red, green, blue, height, gloss, metal, brightness of the inside."""

    points: (
        Floats  # (rows, columns, 3), turned so that the cross product of down the rows and along them points outward
    )
    skin: Floats


def normals(points: Floats) -> Floats:
    """Unit normals of a grid (rows, columns, 3), joined where the grid closes on itself."""
    across, along = _steps(points.swapaxes(0, 1)).swapaxes(0, 1), _steps(points)
    if np.allclose(points[:, 0], points[:, -1], atol=1e-5):
        across[:, 0] = across[:, -1] = points[:, 1] - points[:, -2]
    out = np.cross(along, across)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=2, keepdims=True), 1e-9), np.float32)


def _steps(points: Floats) -> Floats:
    """From the point before to the point after, down the rows."""
    return np.concatenate([points[1:2] - points[:1], points[2:] - points[:-2], points[-1:] - points[-2:-1]])


def enlarged(grid: Floats, texels: tuple[int, int]) -> Floats:
    """A grid (rows, columns, ...) drawn out to as many rows and columns as a skin has texels."""
    wide: Floats = cv2.resize(np.ascontiguousarray(grid, np.float32), texels[::-1], interpolation=cv2.INTER_LINEAR)
    return wide


def xyz(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Floats:
    """Coordinates, numbers or arrays, to a point (3,) or points (..., 3)."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(np.float32)


def squared(value: Floats, power: float) -> Floats:
    """A wave whose hills are flattened: with a power below 1 a circle's coordinates become a rounded box's."""
    return np.sign(value) * np.abs(value) ** power


def sweep(
    path: ArrayLike,
    across: ArrayLike,
    width: float | Floats,
    thickness: float | Floats,
    around: int = 9,
    square: float = 1.0,
) -> Floats:
    """A band that follows a path (k, 3), `width` along `across` and `thickness` the other way -> (k, around, 3).

    Width equal to thickness makes a tube. `square` below 1 flattens the round section towards a box.
    """
    path = np.asarray(path, np.float32)
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    wide = np.broadcast_to(np.asarray(across, np.float32), path.shape)
    wide = wide - (wide * along).sum(1, keepdims=True) * along
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-9)
    up = np.cross(wide, along)
    turn = np.linspace(0, 2 * np.pi, around)
    flat = [squared(wave, square) for wave in (np.cos(turn), np.sin(turn))]
    w, t = (np.broadcast_to(np.asarray(size, np.float32), len(path))[:, None] / 2 for size in (width, thickness))
    ring_ = wide[:, None] * (flat[0] * w)[..., None] + up[:, None] * (flat[1] * t)[..., None]
    return np.asarray(path[:, None] + ring_, np.float32)


def capped(tube: Floats) -> Floats:
    """Close both ends of a swept band."""
    ends = [np.broadcast_to(ring.mean(0), ring.shape)[None] for ring in (tube[0], tube[-1])]
    return np.concatenate([ends[0], tube, ends[1]])


def bezier(p0: ArrayLike, p1: ArrayLike, p2: ArrayLike, p3: ArrayLike, steps: int) -> Floats:
    """Cubic curves from p0 to p3, each (..., 3) -> (steps, ..., 3)."""
    p0, p1, p2, p3 = (np.asarray(p, np.float32) for p in (p0, p1, p2, p3))
    t = np.linspace(0, 1, steps, dtype=np.float32).reshape(-1, *[1] * p0.ndim)
    curve: Floats = (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t**2 * p2 + t**3 * p3
    return curve


def smooth(value: ArrayLike, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, an S between."""
    along = np.clip((np.asarray(value, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(along * along * (3 - 2 * along), np.float32)


def ring(turn: Floats, power: float = 2.0) -> Floats:
    """A superellipse of half width 1 through angles `turn`: 2 is round, 8 a rounded box -> (len(turn), 3), level."""
    c, s = -np.cos(turn), np.sin(turn)
    reach = (np.abs(c) ** power + np.abs(s) ** power) ** (-1 / power)
    return xyz(c * reach, s * reach, 0)


def box(centre: ArrayLike, half: ArrayLike, round_: float = 0.2, power: float = 6, around: int = 13) -> Floats:
    """A rounded block of half a size in each direction -> (7, around, 3). A `power` of 2 makes it a drum."""
    edge = 1 - round_
    high = np.array([-1, -1, -edge, 0, edge, 1, 1])[:, None]
    wide = np.array([0, edge, 1, 1, 1, edge, 0])[:, None]
    flat = ring(np.linspace(0, 2 * np.pi, around), power)
    unit = xyz(flat[:, 0] * wide, flat[:, 1] * wide, high)
    return np.asarray(np.asarray(centre) + unit * np.asarray(half), np.float32)
