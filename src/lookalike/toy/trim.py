"""What is put on an upper: laces and their eyes, the tongue, bows, buckles, tassels, the loop to pull it on by.

In: a Shoe, its dress, the points of its upper. Out: sheets. Never: changes the upper.
"""

from itertools import pairwise

import numpy as np

from lookalike.toy.last import AROUND, Shoe, centre, turns
from lookalike.toy.sheet import Floats, Sheet, bezier, box, capped, enlarged, squared, sweep, xyz
from lookalike.toy.skin import Dress, flat
from lookalike.toy.upper import rim, shaft_points


def _crest(body: Floats, x: float, y: float) -> Floats:
    """The point of the upper's top at (x, y) of the plan."""
    fine = enlarged(body, (84, 384)).reshape(-1, 3)
    away = np.hypot(fine[:, 0] - x, fine[:, 1] - centre(x) - y)
    near = fine[np.argsort(away, kind="stable")[:12]]
    return np.asarray(near[np.argmax(near[:, 2])])


def laces(shoe: Shoe, dress: Dress, body: Floats) -> list[Sheet]:
    """Rows of laces crosswise and straight, their eyes, and the tongue beneath."""
    if not shoe.laces:
        return []
    rows = np.linspace(shoe.lace_to, shoe.lace_from, shoe.laces)
    ends = [[_crest(body, x, y) + xyz(0, 0, 0.012) for y in (0.052, -0.052)] for x in rows]
    ends += _shaft_ends(shoe, body)
    ties = [_tie(left, right) for left, right in ends]
    ties += [_tie(left, right) for (left, _), (_, right) in pairwise(ends)]
    eyes = [
        capped(sweep([at - xyz(0, 0, 0.014), at + xyz(0.004, 0, 0.004)], (1, 0, 0), 0.026, 0.026))
        for row in ends
        for at in row
    ]
    sheets = [Sheet(tie, flat(dress["trim"])) for tie in ties] + [Sheet(eye, flat(dress["metal"])) for eye in eyes]
    return [*sheets, _tongue(shoe, dress, body)]


def _tie(left: Floats, right: Floats) -> Floats:
    middle = (left + right) / 2 + xyz(0.006, 0, 0.02)
    return sweep(bezier(left, middle, middle, right, 7), (0.6, 0.2, 0.7), 0.024, 0.013, 7)


def _shaft_ends(shoe: Shoe, body: Floats) -> list[list[Floats]]:
    """Where laces go on up the front of a shaft."""
    if not shoe.shaft:
        return []
    grid, front = shaft_points(shoe, body), AROUND // 2
    rows = range(1, len(grid) - 1, max(2, int(4 - shoe.shaft * 2)))
    return [[grid[row, column] + xyz(0.012, 0, 0) for column in (front - 8, front + 8)] for row in rows]


def _tongue(shoe: Shoe, dress: Dress, body: Floats) -> Sheet:
    front = rim(shoe, body)[AROUND // 2]
    if shoe.shaft:
        path = front + bezier(xyz(-0.03, 0, -0.15), xyz(-0.03, 0, -0.05), xyz(-0.02, 0, 0), xyz(0, 0, 0.05), 7)
    else:
        low = _crest(body, shoe.lace_from + 0.06, 0) - xyz(0, 0, 0.012)
        path = bezier(low, (low + front) / 2 + xyz(0, 0, 0.01), front, front + xyz(-0.035, 0, 0.06), 9)
    return Sheet(
        capped(sweep(path, (0, 1, 0), np.linspace(0.125, 0.1, len(path)), 0.026, 13, 0.7)), flat(dress["main"])
    )


def ornaments(shoe: Shoe, dress: Dress, body: Floats) -> list[Sheet]:
    """What sits on the vamp."""
    if not shoe.ornament:
        return []
    at = _crest(body, shoe.throat + 0.055, 0)
    role = "metal" if shoe.ornament in ("buckle", "bit") else "accent"
    return [Sheet(points, flat(dress[role])) for points in ORNAMENTS[shoe.ornament](at)]


def _bow(at: Floats) -> list[Floats]:
    loops = []
    for side in (-1, 1):
        tip = at + xyz(0, 0.1 * side, 0.02)
        loops.append(
            sweep(bezier(at, tip + xyz(0.06, 0, 0.04), tip + xyz(-0.06, 0, 0.05), at, 13), (0.8, 0, 0.6), 0.05, 0.012)
        )
    return [*loops, box(at + xyz(0, 0, 0.014), (0.02, 0.018, 0.02))]


def _buckle(at: Floats) -> list[Floats]:
    turn = turns(17)
    frame = xyz(0.035 * squared(np.cos(turn), 0.4), 0.055 * np.sin(turn), 0.016 - 0.01 * np.cos(turn))
    return [sweep(at + frame, (0.4, 0, 1), 0.016, 0.016, 7)]


def _bit(at: Floats) -> list[Floats]:
    turn = turns(13)
    rings = [at + xyz(0.024 * np.cos(turn), y, 0.002 + 0.024 * np.sin(turn)) for y in (-0.055, 0.055)]
    bar = at + xyz(0, [-0.05, -0.02, 0.02, 0.05], 0.018)
    return [*[sweep(path, (0, 1, 0), 0.012, 0.012, 7) for path in rings], sweep(bar, (1, 0, 0), 0.016, 0.016, 7)]


def _tassel(at: Floats) -> list[Floats]:
    tails = [
        at + xyz([0, 0.03, 0.075], y * np.array([0.3, 0.7, 1]), [0.02, 0.02, -0.005])
        for y in np.linspace(-0.05, 0.05, 6)
    ]
    knot = box(at + xyz(0, 0, 0.016), (0.018, 0.045, 0.012))
    return [*[sweep(path, (0, 1, 0), 0.016, 0.01, 7) for path in tails], knot]


def _pompom(at: Floats) -> list[Floats]:
    level = np.linspace(-1, 1, 9)[:, None]
    turn, reach = turns(17), np.sqrt(1 - level**2)
    return [at + xyz(0, 0, 0.04) + 0.055 * xyz(-np.cos(turn) * reach, np.sin(turn) * reach, level)]


ORNAMENTS = {"bow": _bow, "buckle": _buckle, "bit": _bit, "tassel": _tassel, "pompom": _pompom}


def pulls(shoe: Shoe, dress: Dress, body: Floats) -> list[Sheet]:
    """The loop at the back."""
    if not shoe.pull:
        return []
    back = rim(shoe, body)[0]
    path = bezier(
        back + xyz(-0.01, 0, -0.05),
        back + xyz(-0.03, 0, 0.08),
        back + xyz(0.03, 0, 0.08),
        back + xyz(0.012, 0, -0.05),
        11,
    )
    return [Sheet(sweep(path, (0, 1, 0), 0.045, 0.01), flat(dress["accent"]))]
