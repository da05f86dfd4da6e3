"""Faces of the toy shop: each layout of a shop's pages, by the name that settings.Layout gives it.

In: nothing. Out: one table. Never: writes a page.
"""

from lookalike.toy.shop.answer import Face
from lookalike.toy.shop.faces import farfetch, plain, zappos

FACES: dict[str, Face] = {"plain": plain.FACE, **zappos.FACES, **farfetch.FACES}
