"""A whole shoe: boots, sneakers, pumps and sandals are one body and differ in their parts alone.

In: a Shoe and what each of its parts is made of. Out: sheets of a left shoe,
heel at x = 0, toe at x = 1, standing on z = 0. Never: chooses a parameter or a color.
"""

from lookalike.toy.bottom import footbed, heels, soles
from lookalike.toy.last import Shoe
from lookalike.toy.sheet import Sheet
from lookalike.toy.skin import Dress
from lookalike.toy.straps import STRAPS, belt
from lookalike.toy.trim import laces, ornaments, pulls
from lookalike.toy.upper import covers, upper_points


def sheets(shoe: Shoe, dress: Dress) -> list[Sheet]:
    """All surfaces of the shoe."""
    parts = [*soles(shoe, dress), *heels(shoe, dress), footbed(shoe, dress)]
    if shoe.upper:
        body = upper_points(shoe)
        for dressed in (covers, laces, ornaments, pulls):
            parts += dressed(shoe, dress, body)
        parts += belt(shoe, dress, body[-1])
    return parts + [sheet for name in shoe.straps for sheet in STRAPS[name](shoe, dress)]
