"""What a shoe stands on: soles, heels and the footbed.

In: a Shoe and its dress. Out: sheets. Never: reaches above the footbed.
"""

import numpy as np

from lookalike.toy.last import AROUND, Shoe, edge, outline, rise, turns
from lookalike.toy.sheet import Floats, Sheet, enlarged, smooth, xyz
from lookalike.toy.skin import Dress, cloth, darker, lay, line


def _walls(shoe: Shoe, turn: Floats, top: Floats, low: Floats, *between: Floats) -> Floats:
    """A sole as rings from its underside up: the ground's ring, the wall, and a rim that reaches in under the foot."""
    rim, under = edge(shoe, turn, -0.03), low.copy()
    rim[:, 2] = top[:, 2]
    under[:, 1] *= 0.1
    rings = [under, low, low + xyz(0, 0, 0.005), *between, top - xyz(0, 0, 0.006), top, rim]
    return np.stack(rings).astype(np.float32)


def soles(shoe: Shoe, dress: Dress) -> list[Sheet]:
    """The sole, with the lines and layers of its wall."""
    turn = turns(193) if shoe.sole == "lug" else turns()
    points = SOLES[shoe.sole](shoe, turn)
    high, x = (enlarged(points[..., axis], (48, 384)) for axis in (2, 0))
    return [Sheet(points, _sole_skin(shoe, dress, x, high))]


def _sole_skin(shoe: Shoe, dress: Dress, x: Floats, high: Floats) -> Floats:
    skin = cloth(dress["sole"], x, high)
    if shoe.sole == "cup":
        skin = line(skin, high - 0.62 * rise(shoe, x), 0.007, dress["accent"].color)
        skin = line(skin, high - 0.86 * rise(shoe, x), 0.005, darker(dress["sole"].color, 0.8), -0.6)
    if shoe.sole == "runner":
        skin = lay(skin, cloth(dress["accent"], x, high), 0.018 + 0.03 * shoe.panel_at * np.sin(7 * x) - high, 0.008)
        skin = line(skin, high - 0.05 - 0.35 * np.abs(x - 0.5 * shoe.panel_at), 0.009, dress["second"].color, -0.6)
    if shoe.sole == "espadrille":
        rope = np.sin(150 * x + 60 * high) * 0.5 + 0.5
        skin[..., :3] *= (0.72 + 0.28 * rope)[..., None]
        skin[..., 3] += rope * 0.6
    return skin


def _thin(shoe: Shoe, turn: Floats) -> Floats:
    top = edge(shoe, turn, 0.008)
    low, under_ball = top.copy(), smooth(top[:, 0], 0.4, 0.66)
    low[:, 2] -= min(0.02, shoe.platform) * (1 - under_ball) + shoe.platform * under_ball
    low[:, 2] = np.maximum(low[:, 2], 0)
    return _walls(shoe, turn, top, low)


def _ground(shoe: Shoe, turn: Floats, margin: float, bevel: float, spring: float) -> Floats:
    """The ring that stands on the ground, lifted at the heel by `bevel` and at the toe by `spring`."""
    x, y = outline(shoe, turn, margin).T
    toe, heel = np.clip((x - 0.78) / 0.25, 0, 1.2), np.clip((0.08 - x) / 0.12, 0, 1)
    return xyz(x, y, spring * toe**2 + bevel * heel**2)


def _cup(shoe: Shoe, turn: Floats) -> Floats:
    top, low = edge(shoe, turn, 0.014), _ground(shoe, turn, 0.010, 0.0, 0.045)
    return _walls(shoe, turn, top + xyz(0, 0, 0.022), low, (top + low) / 2)


def _runner(shoe: Shoe, turn: Floats) -> Floats:
    top, low = edge(shoe, turn, 0.012), _ground(shoe, turn, 0.022, 0.035, 0.06)
    top[:, 2] += 0.03 * smooth(-top[:, 0], -0.25, 0) + 0.012
    swollen = (top + low) / 2 + xyz(-0.025 * np.cos(turn), 0.018 * np.sin(turn), 0)
    return _walls(shoe, turn, top, low, swollen)


def _lug(shoe: Shoe, turn: Floats) -> Floats:
    top, low = edge(shoe, turn, 0.025), _ground(shoe, turn, 0.022, 0.0, 0.03)
    arch = smooth(low[:, 0], 0.24, 0.27) * (1 - smooth(low[:, 0], 0.42, 0.46))
    low[:, 2] += 0.016 * smooth(np.sin(turn * 38), 0.1, 0.4) + 0.03 * arch * (shoe.heel > 0.02)
    return _walls(shoe, turn, top, low, low + xyz(0, 0, 0.02), top - xyz(0, 0, 0.02))


def _wedge(shoe: Shoe, turn: Floats) -> Floats:
    top, low = edge(shoe, turn, 0.008), _ground(shoe, turn, -0.004 - 0.05 * shoe.heel, 0.0, 0.03)
    low[:, 0] += 0.12 * shoe.heel * smooth(-low[:, 0], -0.4, 0)
    return _walls(shoe, turn, top, low, (top + low) / 2)


SOLES = {"thin": _thin, "cup": _cup, "runner": _runner, "lug": _lug, "wedge": _wedge, "espadrille": _wedge}


def heels(shoe: Shoe, dress: Dress) -> list[Sheet]:
    """The heel, where there is one apart from the sole."""
    if shoe.sole != "thin" or shoe.heel < 0.015 or shoe.heel_shape == "none":
        return []
    seat = _seat(shoe, 0.26 if shoe.heel_shape in ("block", "flare") else 0.22)
    foot, bend = _heel_foot(shoe, seat)
    climb = np.linspace(0, 1, 9, dtype=np.float32)[:, None, None]
    shape = climb**bend
    points = foot + (seat - foot) * np.concatenate([shape, shape, climb], axis=2)
    along, up = np.meshgrid(np.linspace(0, 0.6, 64), np.linspace(0, shoe.heel, 48))
    skin = cloth(dress["heel"], along, up)
    if dress["heel"].finish == "wood":
        skin[..., :3] *= 1 - 0.16 * (np.sin(np.linspace(0, shoe.heel * 260, 48)) > 0.3)[:, None, None]
    skin[:4, :, :3] *= 0.45
    return [Sheet(points.astype(np.float32), skin)]


def _seat(shoe: Shoe, forward: float) -> Floats:
    """The heel's top: the back of the outline, closed by a straight breast -> (33, 3)."""
    turn = turns(385)
    whole = edge(shoe, turn, 0.004)
    back = whole[whole[:, 0] < forward]
    back = np.concatenate([back[len(back) // 2 :], back[: len(back) // 2]])  # inside breast, heel, outside breast
    across = np.linspace(back[-1], back[0], 11)[1:]
    across[:, 0] -= 0.02 * np.sin(np.linspace(0, np.pi, 10))
    picked = back[np.linspace(0, len(back) - 1, 23).astype(int)]
    seat = np.concatenate([picked, across]).astype(np.float32)
    seat[:, 2] = rise(shoe, seat[:, 0]) - 0.016
    return seat


def _heel_foot(shoe: Shoe, seat: Floats) -> tuple[Floats, float]:
    """The heel's print on the ground, and how late it widens on the way up."""
    middle = seat.mean(0)
    size, back, bend = {
        "block": (shoe.heel_wide, 0.0, 1.0),
        "flare": (shoe.heel_wide * 1.12, 0.0, 0.8),
        "cone": (0.42, -0.012, 1.5),
        "stiletto": (0.17, -0.03, 2.6),
    }[shoe.heel_shape]
    foot = middle + (seat - middle) * size
    foot[:, 0] += back + 0.06 * shoe.heel
    foot[:, 2] = 0
    return foot.astype(np.float32), bend


def footbed(shoe: Shoe, dress: Dress) -> Sheet:
    """What the foot stands on, with its label."""
    turn = turns()[: AROUND // 2 + 1]
    outside, inside = edge(shoe, turn, -0.004), edge(shoe, 2 * np.pi - turn, -0.004)
    share = np.linspace(0, 1, 9, dtype=np.float32)[:, None, None]
    points = outside + (inside - outside) * share + xyz(0, 0, 0.004)
    x, y = np.meshgrid(np.linspace(0, 1, 96, dtype=np.float32), np.linspace(-0.15, 0.15, 32, dtype=np.float32))
    skin = cloth(dress["lining"], x, y)
    label = np.minimum(0.05 - np.abs(x - 0.16), 0.04 - np.abs(y))
    return Sheet(
        points[::-1].astype(np.float32),
        line(skin, np.where(label > 0, 0, 9), 1, darker(dress["lining"].color, 0.75)),
    )
