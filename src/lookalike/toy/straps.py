"""Bands over the foot and round the ankle: all there is of a sandal, and the straps of pumps and boots.

In: a Shoe and its dress. Out: sheets. Never: needs an upper, but for the belt round a boot.
"""

import numpy as np

from lookalike.toy.last import AROUND, Shoe, centre, edge, half_width, over, rise, turns
from lookalike.toy.sheet import Floats, Sheet, bezier, box, squared, sweep, xyz
from lookalike.toy.skin import Dress, Stuff, cloth, flat

Direction = tuple[float, float, float]


def _arch(shoe: Shoe, x: float, high: float, lean: float = 0.0, reach: float = 1.0) -> Floats:
    """A band's path over the foot, from the outside's edge to the inside's, `lean` further forward in the end."""
    turn, along = np.linspace(0, np.pi, 17), x + np.linspace(0, lean, 17)
    half = reach * half_width(shoe, along, np.cos(turn))
    return over(shoe, along, half * squared(np.cos(turn), 0.7), high * np.clip(np.sin(turn), 0, 1) ** 0.75 - 0.006)


def _hoop(shoe: Shoe, high: float) -> Floats:
    """A band's path round the ankle."""
    turn = turns(41)
    x = 0.17 - 0.125 * np.cos(turn)
    return xyz(x, centre(x) + 0.092 * np.sin(turn), rise(shoe, 0.15) + high - 0.012 * np.cos(turn))


def _band(path: Floats, across: Direction, width: float, stuff: Stuff, thickness: float = 0.012) -> Sheet:
    around, along = np.meshgrid(np.linspace(0, 2 * width, 32), np.linspace(0, 0.5, 96))
    return Sheet(sweep(path, across, width, thickness, 11, 0.6), cloth(stuff, along, around))


def _pin(dress: Dress, at: Floats, half: Direction) -> Sheet:
    return Sheet(box(at, half), flat(dress["metal"]))


def _toe(shoe: Shoe, dress: Dress) -> list[Sheet]:
    return [_band(_arch(shoe, 0.74, 0.10), (1, 0, -0.15), shoe.strap_width * 1.5, dress["main"])]


def _slide(shoe: Shoe, dress: Dress) -> list[Sheet]:
    return [_band(_arch(shoe, 0.63, 0.135), (1, 0, -0.42), 0.12 + 1.4 * shoe.strap_width, dress["main"], 0.02)]


def _double(shoe: Shoe, dress: Dress) -> list[Sheet]:
    wide = 0.09 + 0.4 * shoe.strap_width
    front, behind = _arch(shoe, 0.72, 0.115), _arch(shoe, 0.53, 0.165)
    bands = [
        _band(front, (1, 0, -0.35), wide, dress["main"], 0.016),
        _band(behind, (1, 0, -0.5), wide, dress["second"], 0.016),
    ]
    return [*bands, *[_frame(dress, path[4]) for path in (front, behind)]]


def _frame(dress: Dress, at: Floats) -> Sheet:
    """A square buckle on the outside of a band."""
    turn = turns(15)
    across, up = squared(np.cos(turn), 0.4), squared(np.sin(turn), 0.4)
    path = at + xyz(0.04 * across, 0.012 - 0.025 * up, 0.012 + 0.026 * up)
    return Sheet(sweep(path, (0, 0.6, 0.6), 0.012, 0.012, 7), flat(dress["metal"]))


def _cross(shoe: Shoe, dress: Dress) -> list[Sheet]:
    width = shoe.strap_width * 1.3
    return [
        _band(_arch(shoe, 0.55, 0.14, 0.2), (1, 0.5, -0.3), width, dress["main"]),
        _band(_arch(shoe, 0.75, 0.15, -0.2), (1, -0.5, -0.3), width, dress["second"]),
    ]


def _gladiator(shoe: Shoe, dress: Dress) -> list[Sheet]:
    rungs = ((0.78, 0.09), (0.68, 0.12), (0.58, 0.15), (0.48, 0.19))
    bands = [_band(_arch(shoe, x, high), (1, 0, -0.3), shoe.strap_width * 0.7, dress["main"]) for x, high in rungs]
    spine = over(shoe, [0.8, 0.7, 0.6, 0.5, 0.4, 0.3], 0, [0.089, 0.119, 0.149, 0.189, 0.234, 0.274])
    return [*bands, _band(spine, (0, 1, 0), shoe.strap_width * 0.8, dress["main"])]


def _thong(shoe: Shoe, dress: Dress) -> list[Sheet]:
    post = over(shoe, 0.8, -0.03, 0)
    ends = [over(shoe, 0.46, side * half_width(shoe, 0.46, side), 0) for side in (1, -1)]
    tops = [(post + end) / 2 + xyz(0.06, 0.01 * side, 0.17) for end, side in zip(ends, (1, -1), strict=True)]
    paths = [bezier(post, post + xyz(0, 0, 0.11), top, end, 17) for end, top in zip(ends, tops, strict=True)]
    return [_band(path, (0.3, 1, 0.3), shoe.strap_width * 0.9, dress["main"]) for path in paths]


def _ankle(shoe: Shoe, dress: Dress) -> list[Sheet]:
    path = _hoop(shoe, 0.25)
    hoop = [_band(path, (0, 0, 1), shoe.strap_width * 0.75, dress["main"])]
    hoop.append(_pin(dress, path[12] + xyz(0, 0.012, 0), (0.024, 0.008, 0.024)))
    if shoe.upper and shoe.back > 0.2:
        return hoop
    heel, high = edge(shoe, turns())[0] + xyz(0.01, 0, 0), float(path[0, 2])
    stay = bezier(heel, xyz(0, 0, high - 0.15), xyz(0.02, 0, high - 0.08), path[0], 9)
    return [*hoop, _band(stay, (0, 1, 0), shoe.strap_width * 1.3, dress["main"])]


def _heelcup(shoe: Shoe, dress: Dress) -> list[Sheet]:
    turn = np.linspace(-1.45, 1.45, 25)
    low = edge(shoe, turn)
    top = xyz(0.17 - 0.14 * np.cos(turn), 0.095 * np.sin(turn), low[:, 2] + 0.05 + 0.17 * np.cos(turn) ** 2)
    points = bezier(low, low + xyz(-0.01, 0, 0.07), top + xyz(-0.015, 0, -0.05), top, 9)
    along, up = np.meshgrid(np.linspace(0, 0.5, 96), np.linspace(0, 0.2, 48))
    return [Sheet(points, cloth(dress["main"], along, up))]


def _maryjane(shoe: Shoe, dress: Dress) -> list[Sheet]:
    path = _arch(shoe, 0.46, 0.165, reach=0.92)
    pin = _pin(dress, path[3] + xyz(0, 0.01, 0), (0.024, 0.009, 0.022))
    return [_band(path, (1, 0, -0.2), shoe.strap_width, dress["main"]), pin]


def _tbar(shoe: Shoe, dress: Dress) -> list[Sheet]:
    spine = over(shoe, [0.74, 0.65, 0.56, 0.47], 0, [0.1, 0.125, 0.147, 0.165])
    return [*_maryjane(shoe, dress), _band(spine, (0, 1, 0), shoe.strap_width * 0.9, dress["main"])]


def _slingback(shoe: Shoe, dress: Dress) -> list[Sheet]:
    turn = np.linspace(-2, 2, 31)
    x = 0.18 - 0.19 * np.cos(turn)
    behind = (np.cos(turn) + 0.42) / 1.42  # 1 at the heel, 0 where the strap is sewn on
    sewn = 0.04 if shoe.upper else -0.01
    path = over(shoe, x, 0.105 * np.sin(turn), sewn + (0.18 - sewn) * behind)
    return [_band(path, (0, 0, 1), shoe.strap_width * 0.75, dress["main"])]


def belt(shoe: Shoe, dress: Dress, opening: Floats) -> list[Sheet]:
    """A buckled belt round a boot's ankle, just below the upper's edge `opening` (AROUND, 3)."""
    if not shoe.belted:
        return []
    middle = opening.mean(0)
    path = middle + (opening - middle) * xyz(1.08, 1.08, 0) - xyz(0, 0, 0.03)
    pin = _pin(dress, path[int(AROUND * 0.27)] + xyz(0, 0.014, 0), (0.032, 0.01, 0.034))
    return [_band(path, (0, 0, 1), shoe.strap_width, dress["accent"], 0.02), pin]


STRAPS = {
    "toe": _toe,
    "slide": _slide,
    "double": _double,
    "cross": _cross,
    "gladiator": _gladiator,
    "thong": _thong,
    "ankle": _ankle,
    "heelcup": _heelcup,
    "maryjane": _maryjane,
    "tbar": _tbar,
    "slingback": _slingback,
}
