"""Panels, seams and brand marks of a shoe's upper, each a signed distance over the place where a texel lies.

In: a Shoe, its dress, where each texel lies, the skin so far. Out: the skin with one more panel. Never: moves a point.
"""

from dataclasses import dataclass

import numpy as np

from lookalike.toy.last import Shoe
from lookalike.toy.sheet import Floats, smooth
from lookalike.toy.skin import Dress, cloth, darker, lay, line, stitch


@dataclass(frozen=True)
class Place:
    """Where each texel of the upper lies (H, W)."""

    x: Floats
    y: Floats  # from the middle line
    high: Floats  # above the footbed
    side: Floats  # +1 outside, -1 inside
    up: Floats  # 0 at the sole, 1 at the opening
    along: Floats  # the two coordinates that cloth is laid by
    girth: Floats


def _laid(dress: Dress, role: str, at: Place, skin: Floats, inside: Floats) -> Floats:
    laid = lay(skin, cloth(dress[role], at.along, at.girth), inside, 0.008)
    return stitch(laid, inside, at.along + at.girth, dress["thread"].color)


def _cap(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    return _laid(dress, "second", at, skin, at.x - (0.80 + 0.08 * shoe.panel_at) + 0.6 * at.y**2)


def _wing(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    inside = at.x - 0.72 - 0.06 * shoe.panel_at - 0.25 * np.abs(np.abs(at.y) - 0.07) - 0.9 * at.high + 0.13
    skin = _laid(dress, "second", at, skin, inside)
    holes = np.exp(-(((inside - 0.03) / 0.007) ** 2)) * (np.sin(at.girth * 260) > 0.2)
    return line(skin, 1 - holes, 0.3, darker(dress["second"].color, 0.4), -0.5)


def _counter(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    return _laid(dress, "second", at, skin, 0.16 + 0.12 * shoe.panel_at - at.x - 0.35 * np.abs(at.high - 0.1))


def _heeltab(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    return _laid(dress, "accent", at, skin, np.minimum(0.11 - at.x, at.high - 0.13 - 0.06 * shoe.panel_at))


def _eyestay(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    edge = 0.085 + 0.02 * shoe.panel_at - np.abs(at.y)
    inside = np.minimum(np.minimum(edge, shoe.lace_to + 0.05 - at.x), at.high - 0.1)
    skin = _laid(dress, "second", at, skin, inside)
    tongue = np.minimum(0.035 - np.abs(at.y), shoe.lace_to + 0.01 - at.x)
    return lay(skin, cloth(dress["lining"], at.along, at.girth), np.minimum(tongue, at.high - 0.1), 0.008, -0.5)


def _mudguard(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    wave = 0.07 + 0.03 * shoe.panel_at + 0.07 * smooth(at.x, 0.62, 0.9) + 0.05 * smooth(-at.x, -0.3, -0.05)
    return _laid(dress, "second", at, skin, wave - at.high)


def _saddle(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    middle = 0.47 - 0.35 * (at.high - 0.12) + 0.06 * shoe.panel_at
    return _laid(dress, "second", at, skin, 0.09 + 0.04 * shoe.panel_at - np.abs(at.x - middle))


def _vamp(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    return _laid(dress, "second", at, skin, at.x - 0.42 - 0.1 * shoe.panel_at - 0.5 * (at.high - 0.2))


def _quarter(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    return _laid(dress, "second", at, skin, 0.36 + 0.1 * shoe.panel_at - at.x - 0.5 * (at.high - 0.15))


def _gore(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    wide, middle = 0.05 + 0.03 * shoe.panel_at, (0.52 if shoe.shaft else 0.72) * shoe.throat
    inside = np.minimum(wide * (0.55 + 1.2 * (at.high - 0.12)) - np.abs(at.x - middle), at.high - 0.12)
    laid = _laid(dress, "second", at, skin, inside)
    ribs = np.where(inside > 0.01, np.sin(at.x * 420), 0)
    laid[..., :3] *= 1 - 0.16 * (ribs > 0)[..., None]
    laid[..., 3] += 0.3 * ribs
    return laid


def _sidezip(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    away = np.where((at.side < 0) & (at.high > 0.08), at.x - 0.52 * shoe.throat, 9)
    return zipped(dress, skin, away, at.high)


def zipped(dress: Dress, skin: Floats, away: Floats, along: Floats) -> Floats:
    """A zip where the distance `away` is small; its teeth follow `along`."""
    skin = line(skin, away, 0.022, darker(dress["main"].color, 0.35))
    teeth = np.where(np.sin(along * 420) > 0, away, 9)
    return line(skin, teeth, 0.008, dress["metal"].color, 0.4)


def _topband(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    return _laid(dress, "accent", at, skin, at.up - (0.84 - 0.08 * shoe.panel_at))


def _moc(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    away = at.girth - 0.135 - 0.03 * shoe.panel_at - 0.25 * smooth(-at.x, -0.5, -0.3)
    puckered = line(skin, np.where(at.x > 0.42, away, 9), 0.011, darker(dress["main"].color, 0.55), 0.7)
    return line(
        puckered, np.where((at.x > 0.42) & (np.sin(at.x * 330) > 0.3), away - 0.012, 9), 0.006, dress["thread"].color
    )


def _perforated(shoe: Shoe, dress: Dress, at: Place, skin: Floats) -> Floats:
    where = (at.x > 0.7 - 0.1 * shoe.panel_at) & (at.x < 0.88) & (np.abs(at.y) < 0.08)
    dots = np.where(where, np.hypot((at.x / 0.03) % 1 - 0.5, (at.y / 0.03) % 1 - 0.5), 9)
    return line(skin, dots, 0.16, darker(dress["main"].color, 0.35), -0.4)


PANELS = {
    "cap": _cap,
    "wing": _wing,
    "counter": _counter,
    "heeltab": _heeltab,
    "eyestay": _eyestay,
    "mudguard": _mudguard,
    "saddle": _saddle,
    "vamp": _vamp,
    "quarter": _quarter,
    "gore": _gore,
    "sidezip": _sidezip,
    "topband": _topband,
    "moc": _moc,
    "perforated": _perforated,
}


# A mark is a signed distance alone: its material is the accent's. All are invented, and like no maker's that is in a shop.


def _bars(at: Place) -> Floats:
    slant = (at.x - 0.4 - 0.6 * (at.high - 0.1)) / 0.09
    return np.where(np.abs(slant) < 1, (0.26 - np.abs(slant % 1 - 0.5)) * 0.09, -1) + np.minimum(0, at.high - 0.04)


def _wave(at: Place) -> Floats:
    crests = 0.115 + 0.022 * np.sin((at.x - 0.26) * 2 * np.pi / 0.16)
    return np.where((at.x > 0.26) & (at.x < 0.58), 0.016 - np.abs(at.high - crests), -1)


def _chevron(at: Place) -> Floats:
    return np.where(np.abs(at.high - 0.12) < 0.075, 0.025 - np.abs(at.x - 0.42 + 0.9 * np.abs(at.high - 0.12)), -1)


def _disc(at: Place) -> Floats:
    return np.where(at.side > 0, 0.048 - np.hypot(at.x - 0.27, at.high - 0.17), -1)


def _lozenge(at: Place) -> Floats:
    around = np.abs(at.x - 0.4) / 0.085 + np.abs(at.high - 0.12) / 0.07
    return 0.014 - np.abs(around - 0.75) * 0.055


def _bolt(at: Place) -> Floats:
    x, z = at.x - 0.4, at.high - 0.12
    zigzag = 0.35 * x * np.sign(0.06 - np.abs(x))
    return np.where(np.abs(x) < 0.14, 0.02 - np.abs(z - zigzag), -1)


MARKS = {"bars": _bars, "wave": _wave, "chevron": _chevron, "disc": _disc, "lozenge": _lozenge, "bolt": _bolt}
