"""A bag: parameters and a dress of materials in, sheets out. Totes, satchels, buckets, hobos and clutches are one loft.

In: a Bag and what each of its parts is made of. Out: sheets; the bag stands on z = 0, its front looks along y.
Never: chooses a parameter or a color.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.toy.sheet import Floats, Sheet, bezier, box, enlarged, ring, smooth, sweep, xyz
from lookalike.toy.skin import Dress, cloth, darker, flat, lay, line, stitch

AROUND = 97
TEXELS = (128, 512)


@dataclass(frozen=True, kw_only=True)
class Bag:
    """What makes a style. Lengths in foot lengths; an empty word or a zero leaves the part out."""

    wide: float = 1.0
    tall: float = 0.75
    deep: float = 0.35
    corner: float = 6.0  # 2 a round base, 8 a box
    taper: float = 1.0  # width at the top, of that at the base
    thin: float = 0.5  # depth at the top, of that at the base
    dip: float = 0.0  # how deep the top sags in the middle
    belly: float = 0.06  # how much the sides swell
    round_base: float = 0.1  # height over which the base is rounded
    flap: float = 0.0  # how far the flap comes down, share of the height
    flap_shape: str = "straight"  # a key of FLAPS
    handles: str = ""  # double top
    handle_high: float = 0.4
    handle_apart: float = 0.25  # from the middle
    handle_thick: float = 0.035
    strap: str = ""  # leather chain
    strap_high: float = 0.8
    clasp: str = ""  # a key of CLASPS
    panels: tuple[str, ...] = ()  # keys of PANELS, and contrastflap
    panel_at: float = 0.5
    charm: str = ""  # a key of CHARMS
    mark: bool = True


def sheets(bag: Bag, dress: Dress) -> list[Sheet]:
    """All surfaces of the bag."""
    body = body_points(bag)
    parts = [Sheet(body, body_skin(bag, dress, body)), _rim(bag, dress, body), *_flap(bag, dress)]
    return [*parts, *_handles(bag, dress), *_strap(bag, dress), *_clasp(bag, dress), *_charm(bag, dress)]


def half(bag: Bag, climb: ArrayLike) -> tuple[Floats, Floats]:
    """Half the width and half the depth at a share of the height."""
    climb = np.asarray(climb, np.float32)
    swell = 1 + bag.belly * np.sin(np.pi * np.clip(climb, 0, 1))
    based = 1 - 0.22 * (1 - np.clip(climb * bag.tall / bag.round_base, 0, 1)) ** 2
    width, depth = 1 + (bag.taper - 1) * climb, 1 + (bag.thin - 1) * smooth(climb, 0.1, 1.0)
    return bag.wide / 2 * width * swell * based, bag.deep / 2 * depth * swell * based


def top(bag: Bag, x: ArrayLike) -> Floats:
    """The height of the top edge at x."""
    reach = bag.wide / 2 * bag.taper
    return np.asarray(bag.tall - bag.dip * np.clip(1 - (np.asarray(x) / reach) ** 2, 0, 1), np.float32)


def front(bag: Bag, x: float, climb: float, out: float) -> Floats:
    """A point before the bag's front, at a share of the height, `out` from the surface."""
    return xyz(x, half(bag, climb)[1] + out, climb * top(bag, x))


def body_points(bag: Bag) -> Floats:
    """Rings from the middle of the base up to the top edge (rows, AROUND, 3)."""
    turn = np.linspace(0, 2 * np.pi, AROUND)
    turn = turn - 0.22 * np.sin(2 * turn) * (bag.corner > 3)  # closer together round the corners
    climb = np.concatenate([[0, 0, 0.004], np.linspace(0.012, 1, 22) ** 1.1])[:, None]
    width, depth = half(bag, climb)
    unit = ring(turn, bag.corner)
    open_ = np.where(np.arange(len(climb)) > 0, 1, 0.02)[:, None]
    x, y = unit[:, 0] * width * open_, unit[:, 1] * depth * open_
    return xyz(x, y, climb * top(bag, x))


def body_skin(bag: Bag, dress: Dress, body: Floats) -> Floats:
    """The body's material with pockets, bands and seams."""
    at = enlarged(body, TEXELS)
    x, front, high = at[..., 0], at[..., 1], at[..., 2]
    around = x * np.sign(front) + front
    skin = cloth(dress["main"], around, high, 0.45)
    for name in bag.panels:
        if name in PANELS:  # the others are the flap's
            skin = PANELS[name](bag, dress, (x, front, high, around), skin)
    dark = darker(dress["main"].color, 0.55)
    edges = np.abs(np.linspace(0, 4, TEXELS[1]) % 1 - 0.5)  # a seam runs up each of the four
    skin = line(skin, np.broadcast_to(edges, x.shape), 0.008, dark, -0.4)
    if bag.mark:
        plate = np.where(front > 0, np.maximum(np.abs(x) / 2.6, np.abs(high - bag.tall * 0.8)), 9)
        skin = line(skin, plate, 0.016, dress["metal"].color if bag.flap == 0 else dark)
    return skin


Places = tuple[Floats, Floats, Floats, Floats]


def _laid(dress: Dress, role: str, at: Places, skin: Floats, inside: Floats) -> Floats:
    laid = lay(skin, cloth(dress[role], at[3], at[2], 0.45), inside, 0.008)
    return stitch(laid, inside, at[3] + at[2], dress["thread"].color)


def _pocket(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    x, front, high, _ = at
    wide, tall = bag.wide * (0.26 + 0.1 * bag.panel_at), bag.tall * (0.42 + 0.1 * bag.panel_at)
    corner = np.hypot(np.maximum(np.abs(x) - wide + 0.08, 0), np.maximum(0.16 - high, 0)) - 0.08
    return _laid(dress, "second", at, skin, np.where(front > 0, np.minimum(-corner, tall - high), -1))


def _base(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    return _laid(dress, "second", at, skin, bag.tall * (0.2 + 0.25 * bag.panel_at) - at[2])


def _topband(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    return _laid(dress, "second", at, skin, at[2] - top(bag, at[0]) + 0.07 + 0.08 * bag.panel_at)


def _bands(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    inside = 0.035 + 0.03 * bag.panel_at - np.abs(np.abs(at[0]) - bag.handle_apart * bag.wide)
    return _laid(dress, "second", at, skin, np.where(np.abs(at[1]) > bag.deep * 0.12, inside, -1))


def _center(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    return _laid(dress, "accent", at, skin, 0.06 + 0.1 * bag.panel_at - np.abs(at[0]))


def _corners(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    away = np.hypot(bag.wide / 2 - np.abs(at[0]), at[2])
    return _laid(dress, "accent", at, skin, 0.16 + 0.1 * bag.panel_at - away)


def _side(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    return _laid(dress, "second", at, skin, np.abs(at[0]) - bag.wide * (0.3 + 0.08 * bag.panel_at))


def _zip(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    x, front, high, _ = at
    away = np.where((front > 0) & (np.abs(x) < bag.wide * 0.36), high - bag.tall * (0.58 + 0.16 * bag.panel_at), 9)
    skin = line(skin, away, 0.026, darker(dress["main"].color, 0.4), -0.3)
    return line(skin, np.where(np.sin(x * 300) > 0, away, 9), 0.009, dress["metal"].color, 0.4)


def _stripe(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    for k, role in enumerate(("accent", "second", "accent")):
        away = np.abs(at[2] - bag.tall * (0.35 + 0.2 * bag.panel_at) - 0.05 * (k - 1))
        skin = lay(skin, cloth(dress[role], at[3], at[2], 0.45), 0.02 - away, 0.008, 0.1)
    return skin


def _studs(bag: Bag, dress: Dress, at: Places, skin: Floats) -> Floats:
    along = np.where(at[2] > bag.tall * 0.5, top(bag, at[0]) - 0.04 - at[2], at[2] - 0.06)
    away = np.hypot(along, (at[3] / 0.05) % 1 * 0.05 - 0.025)
    return line(skin, away, 0.011, dress["metal"].color, 0.9)


PANELS = {
    "pocket": _pocket,
    "base": _base,
    "topband": _topband,
    "bands": _bands,
    "center": _center,
    "corners": _corners,
    "side": _side,
    "zip": _zip,
    "stripe": _stripe,
    "studs": _studs,
}


def _rim(bag: Bag, dress: Dress, body: Floats) -> Sheet:
    role = "second" if "topband" in bag.panels else "main"
    return Sheet(sweep(body[-1], (0, 0, 1), 0.03, 0.018), flat(dress[role]))


def _flap(bag: Bag, dress: Dress) -> list[Sheet]:
    """A tongue over the top and down the front."""
    if not bag.flap:
        return []
    points = flap_points(bag)
    return [Sheet(points, _flap_skin(bag, dress, points))]


def flap_points(bag: Bag) -> Floats:
    """From the back's top edge, over, and down the front (25, 33, 3)."""
    share, step = np.linspace(1, -1, 33), np.linspace(0, 1, 25)[:, None]
    x = share * half(bag, 0.92)[0] * 0.985
    over = np.clip((step - 0.22) / 0.78, 0, 1)
    climb = 1 - over * FLAPS[bag.flap_shape](np.abs(share)) * bag.flap
    depth = half(bag, climb)[1] + 0.018
    y = np.where(step < 0.22, depth * (2 * step / 0.22 - 1), depth)
    return xyz(x * (1 + 0.02 * over), y, climb * top(bag, x) + 0.03 * (1 - smooth(over, 0, 0.1)))


FLAPS: dict[str, Callable[[Floats], Floats]] = {  # how far down the edge comes at a share of half the width
    "straight": lambda share: np.clip(1 - share**14, 0.9, 1),
    "round": lambda share: np.sqrt(np.clip(1 - share**2.6, 0, 1)) * 0.75 + 0.25,
    "point": lambda share: 1 - 0.55 * share,
}


def _flap_skin(bag: Bag, dress: Dress, points: Floats) -> Floats:
    at = enlarged(points, (128, 256))
    x, high = at[..., 0], at[..., 2]
    down = np.linspace(1, 0, 128)[:, None]
    role = "second" if "contrastflap" in bag.panels else "main"
    skin = cloth(dress[role], x, high + np.abs(at[..., 1]))
    edge = np.minimum(down * bag.flap * bag.tall, half(bag, 0.92)[0] * 1.01 - np.abs(x))
    skin = stitch(skin, edge, x + high, dress["thread"].color, 0.022)
    return line(skin, edge, 0.008, darker(dress[role].color, 0.6), 0.3)


def _handles(bag: Bag, dress: Dress) -> list[Sheet]:
    if not bag.handles:
        return []
    if bag.handles == "top":
        return _handle(bag, dress, 0.0, 0.0)
    depth = float(half(bag, 0.9)[1]) + 0.012
    return [*_handle(bag, dress, depth, 0.14), *_handle(bag, dress, -depth, 0.14)]


def _handle(bag: Bag, dress: Dress, y: float, drop: float) -> list[Sheet]:
    """One arch, and the tabs and rivets that hold it `drop` below the edge."""
    apart = bag.handle_apart * bag.wide
    low = float(top(bag, apart)) - drop
    ends = [xyz(x, y, low) for x in (-apart, apart)]
    lift = xyz(0, -0.3 * y, bag.handle_high * 1.33 + drop)
    arch = sweep(
        bezier(ends[0], ends[0] + lift, ends[1] + lift, ends[1], 33), (0, 1, 0), bag.handle_thick, bag.handle_thick, 11
    )
    out = xyz(1, 1.03, 1)
    tabs = [Sheet(box(end * out, (0.03, 0.014, 0.05)), flat(dress["trim"])) for end in ends]
    rivets = [
        Sheet(box(end * out * out - xyz(0, 0, 0.01), (0.014, 0.018, 0.012)), flat(dress["metal"])) for end in ends
    ]
    return [Sheet(arch, flat(dress["trim"])), *tabs, *rivets]


def _strap(bag: Bag, dress: Dress) -> list[Sheet]:
    if not bag.strap:
        return []
    reach = float(half(bag, 0.95)[0])
    left, right = (xyz(x, 0, bag.tall * 0.93) for x in (-reach, reach))
    lift, inward = xyz(0, 0.05, bag.strap_high * 1.33), xyz(reach * 0.1, 0, 0)
    path = bezier(left, left + lift + inward, right + lift - inward, right, 97)
    if bag.strap == "chain":
        links = 0.018 + 0.02 * np.abs(np.sin(np.arange(97) * np.pi / 2 + 0.4))
        return [Sheet(sweep(path, (0, 1, 0), links, links[::-1], 7), flat(dress["metal"]))]
    rings = [Sheet(box(end, (0.022, 0.03, 0.03)), flat(dress["metal"])) for end in (left, right)]
    return [Sheet(sweep(path, (0, 1, 0), 0.05, 0.014, 9, 0.6), flat(dress["trim"])), *rings]


def _clasp(bag: Bag, dress: Dress) -> list[Sheet]:
    if not bag.clasp:
        return []
    at = front(bag, 0, max(1 - bag.flap * 0.86, 0.2), 0.032) if bag.flap else front(bag, 0, 0.86, 0.014)
    return [Sheet(points, flat(dress["metal"])) for points in CLASPS[bag.clasp](at)]


def _turn(at: Floats) -> list[Floats]:
    return [box(at, (0.055, 0.01, 0.035)), box(at + xyz(0, 0.015, 0), (0.014, 0.014, 0.03))]


def _bar(at: Floats) -> list[Floats]:
    return [box(at, (0.1, 0.014, 0.016))]


def _ring(at: Floats) -> list[Floats]:
    turn = np.linspace(0, 2 * np.pi, 21)
    hoop = sweep(at + 0.055 * xyz(np.cos(turn), 0, np.sin(turn)), (0, 1, 0), 0.02, 0.02, 7)
    return [hoop, box(at + xyz(0, 0, 0.055), (0.02, 0.012, 0.02))]


def _disc(at: Floats) -> list[Floats]:
    return [box(at, (0.04, 0.014, 0.04), 0.4)]


CLASPS = {"turn": _turn, "bar": _bar, "ring": _ring, "disc": _disc}


def _charm(bag: Bag, dress: Dress) -> list[Sheet]:
    if not bag.charm:
        return []
    x = -bag.handle_apart * bag.wide if bag.handles else bag.wide * 0.3
    at = front(bag, x, 0.86, 0.05)
    low = at - xyz(0.01, 0, 0.12)
    cord = sweep(bezier(at, at - xyz(0, 0, 0.04), low + xyz(0, 0, 0.04), low, 5), (1, 0, 0), 0.012, 0.012, 7)
    return [Sheet(cord, flat(dress["trim"])), Sheet(CHARMS[bag.charm](low), flat(dress["accent"]))]


def _tag(at: Floats) -> Floats:
    return box(at - xyz(0, 0, 0.06), (0.04, 0.008, 0.065))


def _tassel(at: Floats) -> Floats:
    path = at - xyz(0, 0, [0, 0.03, 0.035, 0.16])
    return sweep(path, (1, 0, 0), np.array([0.03, 0.04, 0.03, 0.075]), np.array([0.03, 0.04, 0.03, 0.06]), 11)


CHARMS = {"tag": _tag, "tassel": _tassel}
