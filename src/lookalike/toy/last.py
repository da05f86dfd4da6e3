"""A shoe's parameters, and the last that it is built on: the foot's outline from above and its rise from the side.

In: a Shoe. Out: curves. Never: makes a surface, chooses a parameter or a color.

Units: a foot is 1 long. x runs from heel to toe, y to the outside of a left shoe, z up from the ground.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.toy.sheet import Floats, smooth, xyz

AROUND = 97  # points round the foot, the first again at the end


@dataclass(frozen=True, kw_only=True)
class Shoe:
    """What makes a style. Lengths in foot lengths; an empty word or a zero leaves the part out."""

    toe: float = 0.3  # 0 round, 1 needle-pointed
    square: float = 0.0  # 0 none, 1 a square toe
    wide: float = 1.0
    heel: float = 0.06  # height under the heel, above that under the ball
    platform: float = 0.04
    sole: str = "thin"  # thin cup lug wedge runner espadrille
    heel_shape: str = "block"  # block stiletto cone flare none
    heel_wide: float = 0.8  # of a block, share of the seat
    toe_box: float = 0.13
    back: float = 0.24  # heights of the opening above the footbed: at the heel, the side, the front
    side: float = 0.17
    front: float = 0.3
    throat: float = 0.46  # how far forward the opening reaches
    opening: float = 0.1  # half its width
    shaft: float = 0.0  # how far a shaft goes on above the opening
    calf: float = 1.25  # the shaft's width at its top, of that at the ankle
    scallop: float = 0.0  # how much the shaft's top dips at the sides
    laces: int = 0  # rows
    lace_from: float = 0.5
    lace_to: float = 0.68
    straps: tuple[str, ...] = ()  # keys of STRAPS
    belted: bool = False  # a buckled belt round a boot's ankle
    strap_width: float = 0.05
    panels: tuple[str, ...] = ()  # keys of PANELS; a shaft adds cuff and western
    panel_at: float = 0.5  # slides the panels' edges, 0..1
    mark: str = ""  # a key of MARKS: the brand's, on the side of a sneaker
    ornament: str = ""  # a key of ORNAMENTS
    pull: bool = False
    knitted_collar: bool = False
    upper: bool = True


def turns(count: int = AROUND) -> Floats:
    """Angles round the foot: 0 at the heel, a quarter turn at the outside, half a turn at the toe."""
    return np.linspace(0, 2 * np.pi, count, dtype=np.float32)


def outline(shoe: Shoe, turn: Floats, margin: float = 0.0) -> Floats:
    """The edge of the foot seen from above, widened by `margin` -> (len(turn), 2)."""
    x = (1 - np.cos(turn)) / 2
    outer = np.where(np.sin(turn) >= 0, 1, -1)
    half = half_width(shoe, x, outer)
    reach = 1 + 0.07 * shoe.toe
    long = np.where(x > 0.6, 0.6 + (x - 0.6) * (reach - 0.6) / 0.4, x)
    spread = np.sin(turn) / np.maximum(np.abs(np.sin(turn)), 1e-6)
    y = spread * (half + margin * np.sqrt(np.abs(np.sin(turn))))
    return np.stack([long - margin * np.cos(turn), y + centre(x)], axis=-1).astype(np.float32)


def centre(x: ArrayLike) -> Floats:
    """The foot bends inward towards the big toe."""
    bow = np.sin(np.pi * np.clip(np.asarray(x, np.float32), 0, 1))
    return np.asarray(0.012 * bow - 0.035 * smooth(x, 0.55, 1.05), np.float32)


def half_width(shoe: Shoe, x: ArrayLike, outer: ArrayLike) -> Floats:
    """From the middle line to the edge at x, on the outside (outer > 0) or the inside."""
    x, outer = np.asarray(x, np.float32), np.asarray(outer)
    stations = np.array([0.0, 0.12, 0.3, 0.45, 0.62, 0.72, 0.85, 1.0])
    outside = np.interp(x, stations, [0.115, 0.118, 0.118, 0.132, 0.168, 0.172, 0.160, 0.14])
    inside = np.interp(x, stations, [0.115, 0.115, 0.095, 0.092, 0.138, 0.160, 0.150, 0.13])
    heel = np.sqrt(np.clip(1 - (1 - np.clip(x / 0.14, 0, 1)) ** 2, 0, 1))
    forward = np.clip((x - 0.64) / 0.36, 0, 1)
    power = 2.4 - 1.25 * shoe.toe + 4.5 * shoe.square
    round_ = (0.5 + 0.42 * shoe.toe) * (1 - 0.25 * shoe.square)
    tip = np.clip(1 - forward**power, 0, 1) ** round_
    return np.asarray(np.where(outer > 0, outside, inside) * heel * tip * shoe.wide, np.float32)


def rise(shoe: Shoe, x: ArrayLike) -> Floats:
    """The height of the footbed above the ground at x."""
    x = np.asarray(x, np.float32)
    spring = 0.035 * np.clip((x - 0.72) / 0.28, 0, 1.2) ** 2
    slope = 1 - smooth(x, 0.12 + 0.1 * min(shoe.heel, 0.4), 0.74)
    return (shoe.platform + shoe.heel * slope + spring).astype(np.float32)


def edge(shoe: Shoe, turn: Floats, margin: float = 0.0) -> Floats:
    """The edge of the footbed in space, widened by `margin` -> (len(turn), 3)."""
    flat_ = outline(shoe, turn, margin)
    return np.column_stack([flat_, rise(shoe, flat_[:, 0])]).astype(np.float32)


def over(shoe: Shoe, x: ArrayLike, aside: ArrayLike, high: ArrayLike) -> Floats:
    """Points over the footbed: `aside` from the foot's middle line, `high` above the bed."""
    return xyz(x, centre(x) + np.asarray(aside), rise(shoe, x) + np.asarray(high))
