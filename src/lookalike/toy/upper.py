"""What covers the foot: from the sole's edge up and inward to the opening, and a boot's shaft on from there.

In: a Shoe and its dress. Out: grids of points, and sheets with every panel drawn on them.
Never: stands on the ground or ties a lace.
"""

import numpy as np

from lookalike.toy.last import Shoe, centre, edge, half_width, rise, turns
from lookalike.toy.panels import MARKS, PANELS, Place, zipped
from lookalike.toy.sheet import Floats, Sheet, bezier, enlarged, smooth, sweep
from lookalike.toy.skin import Dress, cloth, darker, flat, lay, line

TEXELS = (112, 384)  # of a skin


def covers(shoe: Shoe, dress: Dress, body: Floats) -> list[Sheet]:
    """The upper, the shaft if there is one, and the rolled edge of the opening."""
    shaft = [shaft_points(shoe, body)] if shoe.shaft else []
    shafts = [Sheet(points, shaft_skin(shoe, dress, points)) for points in shaft]
    return [Sheet(body, upper_skin(shoe, dress, body)), *shafts, _binding(shoe, dress, body)]


def topline(shoe: Shoe, turn: Floats) -> Floats:
    """The edge of the opening -> (len(turn), 3)."""
    c = np.cos(turn)
    x = 0.035 + (shoe.throat - 0.035) * (1 - c) / 2
    even = (shoe.back + shoe.front) / 4
    high = even + shoe.side / 2 + (shoe.back - shoe.front) / 2 * c + (even - shoe.side / 2) * np.cos(2 * turn)
    lean = 0.06 * shoe.heel * (1 + c)
    y = centre(x) + shoe.opening * np.sin(turn) * (1 - 0.25 * np.clip(-c, 0, 1))
    return np.column_stack([x + lean, y, rise(shoe, x) + high]).astype(np.float32)


def upper_points(shoe: Shoe, steps: int = 21) -> Floats:
    """From the sole's edge up and inward to the opening (steps, AROUND, 3): one Bezier curve at each turn."""
    turn = turns()
    foot, top = edge(shoe, turn), topline(shoe, turn)
    away, up = foot - top, np.array([0, 0, 1], np.float32)
    away[:, 2] = 0
    forward = smooth(-np.cos(turn), -0.1, 0.9)[:, None]
    tall = (top - foot)[:, 2:]
    wall = np.minimum(0.75 * tall, shoe.toe_box * 1.25) * forward + 0.5 * tall * (1 - forward)
    heel_curve = 0.03 * np.clip(np.cos(turn), 0, 1)[:, None] * np.array([-1, 0, 0], np.float32)
    swell = 0.05 * (1 - forward) * away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    reach, drop = (0.10, 0.30) if shoe.shaft else (0.32, 0.22)  # a boot's instep climbs into the shaft
    near = top + away * (0.12 + reach * forward) - up * tall * (0.42 + drop * forward)
    return bezier(foot, foot + up * wall + heel_curve + swell, near + heel_curve * 0.5, top, steps)


def place(shoe: Shoe, body: Floats) -> Place:
    """The upper's texels."""
    at = enlarged(body, TEXELS)
    turn, up = np.meshgrid(turns(TEXELS[1]), np.linspace(0, 1, TEXELS[0], dtype=np.float32))
    x, y = at[..., 0], at[..., 1] - centre(at[..., 0])
    side = np.sign(np.sin(turn)) + (np.sin(turn) == 0)
    high = at[..., 2] - rise(shoe, x)
    inward = half_width(shoe, np.clip(x, 0, 1), side) - np.abs(y)
    fore = smooth(x, 0.02, 0.22)
    return Place(x, y, high, side, up, x - (1 - fore) * np.clip(inward, 0, 1), high + fore * np.clip(inward, 0, 1))


def upper_skin(shoe: Shoe, dress: Dress, body: Floats) -> Floats:
    """The upper's material with every panel, seam and mark."""
    at = place(shoe, body)
    skin = cloth(dress["main"], at.along, at.girth)
    for name in shoe.panels:
        if name in PANELS:  # the others are the shaft's
            skin = PANELS[name](shoe, dress, at, skin)
    if shoe.mark:
        skin = lay(skin, cloth(dress["accent"], at.along, at.girth), MARKS[shoe.mark](at), 0.012)
    return skin


def shaft_points(shoe: Shoe, body: Floats, steps: int = 15) -> Floats:
    """From the opening on upwards (steps, AROUND, 3)."""
    turn, start = turns(), body[-1]
    climb = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    middle = start.mean(0)
    grown = 1 + (shoe.calf - 1) * smooth(climb, 0.0, 0.85) - 0.05 * np.sin(np.pi * climb)
    x = middle[0] + (start[:, 0] - middle[0]) * grown - 0.04 * climb * shoe.shaft
    y = middle[1] + (start[:, 1] - middle[1]) * (grown * (1 + 0.15 * climb))
    level = middle[2] + shoe.shaft + shoe.scallop * np.cos(2 * turn) * 0.5
    z = start[:, 2] + (level - start[:, 2]) * climb
    return np.stack([x, y, z], axis=-1).astype(np.float32)


def shaft_skin(shoe: Shoe, dress: Dress, points: Floats) -> Floats:
    """The shaft's material with its cuff, zip, seams and creases."""
    at = enlarged(points, TEXELS)
    turn, up = np.meshgrid(turns(TEXELS[1]), np.linspace(0, 1, TEXELS[0], dtype=np.float32))
    around = np.minimum(turn, 2 * np.pi - turn) * 0.17
    high = at[..., 2]
    skin = cloth(dress["second" if "vamp" in shoe.panels else "main"], around, high)
    skin[..., 3] += 0.5 * np.sin(26 * high + 2.5 * np.sin(turn * 2)) * np.exp(-up * 5)
    if "cuff" in shoe.panels:
        inside = at[..., 2] - (at[-1, :, 2].mean() - 0.1 - 0.08 * shoe.panel_at)
        skin = lay(skin, cloth(dress["accent"], around, high), inside, 0.01, 0.6)
    if "gore" in shoe.panels:
        skin = lay(skin, cloth(dress["second"], around, high), 0.05 + 0.05 * up - np.abs(around - 0.25), 0.008)
    if "sidezip" in shoe.panels:
        skin = zipped(dress, skin, np.where(turn > np.pi, np.abs(around - 0.26), 9), high)
    if "western" in shoe.panels:
        wave = np.sin(around * 60) * 0.04
        for shift in (0.0, 0.03, 0.06):
            skin = line(skin, (high - high.mean() + wave + shift) % 0.22 - 0.11, 0.006, dress["thread"].color, 0.4)
    seam = np.minimum(around, np.abs(around - np.pi * 0.17))
    return line(skin, seam, 0.006, darker(dress["main"].color, 0.6), -0.4)


def rim(shoe: Shoe, body: Floats) -> Floats:
    """The edge where the foot goes in (AROUND, 3)."""
    points = shaft_points(shoe, body) if shoe.shaft else body
    return np.asarray(points[-1])


def _binding(shoe: Shoe, dress: Dress, body: Floats) -> Sheet:
    """The rolled edge of the opening."""
    thick = 0.05 if shoe.knitted_collar else 0.016
    role = (
        "lining" if shoe.knitted_collar else "accent" if "topband" in shoe.panels or "cuff" in shoe.panels else "main"
    )
    return Sheet(sweep(rim(shoe, body), (0, 0, 1), thick * 1.3, thick, 9), flat(dress[role]))
