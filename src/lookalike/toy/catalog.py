"""The drawn catalog as a source: styles, colorways and views, one row a picture, drawn when it is read.

In: how many, how large, how cluttered, which seed. Out: rows like any other source's. Never: writes a file;
and a picture is the same bytes whenever, wherever in the order and beside whatever others it is read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np

from lookalike.catalog.product import Row
from lookalike.settings import ConfigError
from lookalike.toy import bag, shoe
from lookalike.toy.bag import Bag
from lookalike.toy.palette import COLORS, colorway, names
from lookalike.toy.render import Camera, Mesh, mesh
from lookalike.toy.scene import BAG_VIEWS, SHOE_VIEWS, Picture, pair, photograph
from lookalike.toy.skin import Dress
from lookalike.toy.style import Style, style

QUALITY = 90  # of the JPEG
BOUNDS = {
    "styles": (1, 99_999),  # five digits in a style's name
    "colorways": (1, len(COLORS)),
    "views": (1, len(SHOE_VIEWS)),
    "size": (32, 2000),
    "clutter": (0, 1),
    "seed": (0, 2**32 - 1),
}


@dataclass(frozen=True)
class Shot:
    """One picture to take: everything that it depends on."""

    seed: int
    style: int
    colorway: int
    view: str
    size: int
    clutter: float


def rows(
    *, styles: int = 160, colorways: int = 3, views: int = 4, size: int = 240, clutter: float = 0.0, seed: int = 0
) -> Iterator[Row]:
    """Every picture of the shop: `styles` styles in 2 to `colorways` colorways, up to `views` views of each.

    The first styles stay what they are when more are asked for. Pictures are drawn in `read`, as JPEG of size x size.
    """
    _check({"styles": styles, "colorways": colorways, "views": views, "size": size, "clutter": clutter, "seed": seed})
    return (
        _row(made, shot)
        for made in (style(number, seed) for number in range(styles))
        for which in range(sold_in(made.number, colorways, seed))
        for shot in shots(made, which=which, views=views, size=size, clutter=clutter, seed=seed)
    )


def _check(given: dict[str, float]) -> None:
    """Refuse what cannot be drawn, all of it at once."""
    faults = [
        f"{name} is {value}: give {BOUNDS[name][0]} to {BOUNDS[name][1]}"
        for name, value in given.items()
        if not BOUNDS[name][0] <= value <= BOUNDS[name][1]
    ]
    if faults:
        raise ConfigError("The toy shop cannot be drawn: " + "; ".join(faults) + ".")


def sold_in(number: int, most: int, seed: int) -> int:
    """How many colorways the style is sold in: 2 to `most`."""
    chance = np.random.default_rng([seed, 13, number])
    return min(most, 2 + int(chance.random() * (most - 1)))  # grows with `most`, never shrinks


def shots(made: Style, *, which: int = 0, views: int, size: int, clutter: float = 0.0, seed: int = 0) -> list[Shot]:
    """The pictures of one product: colorway `which` of the style, its first views."""
    return [Shot(seed, made.number, which, view, size, clutter) for view in list(_views(made))[:views]]


def _views(made: Style) -> dict[str, Camera]:
    return BAG_VIEWS if isinstance(made.shape, Bag) else SHOE_VIEWS


def _row(made: Style, shot: Shot) -> Row:
    told = facts(made, shot.colorway, shot.seed)
    product = told["product"]
    at = f"{slug(told['name'], told['color'])}-{made.number}-{shot.colorway}"
    return Row(
        where=f"toy shop, {product} {shot.view}",
        picture=f"{product}/{shot.view}.jpg",
        read=partial(jpeg, shot),
        fields=told | {"url": f"https://toy.example/p/{at}", "view": shot.view},
    )


def facts(made: Style, which: int, seed: int) -> dict[str, str]:
    """What the shop tells of a product, colorway `which` of the style, whatever its pictures."""
    name = f"toy-{made.number:05d}"
    color, _ = _dress(made, which, seed)
    return {
        "product": f"{name}-{which}",
        "style": name,
        "brand": made.brand.name,
        "category": made.category,
        "color": color,
        "name": made.name,
        "price": made.price,
        "currency": made.brand.currency,
        "rating": made.rating,
    }


def slug(*words: str) -> str:
    """Words as an address writes them: "vesper-ankle-boot-black"."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def jpeg(shot: Shot) -> bytes:
    """The picture, as a shop would serve it."""
    done, data = cv2.imencode(".jpg", draw(shot)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise RuntimeError(f"OpenCV could not write a JPEG of {shot}")
    return bytes(data)


def draw(shot: Shot) -> Picture:
    """The picture, (size, size, 3) uint8 RGB."""
    made = style(shot.style, shot.seed)
    views = _views(made)
    chance = np.random.default_rng([shot.seed, 14, shot.style, shot.colorway, list(views).index(shot.view)])
    thing = _mesh(shot.seed, shot.style, shot.colorway)
    return photograph(
        pair(thing) if shot.view == "pair" else thing, views[shot.view], chance, shot.size, clutter=shot.clutter
    )


def _dress(made: Style, which: int, seed: int) -> tuple[str, Dress]:
    leading = names(np.random.default_rng([seed, 15, made.number]))
    return colorway(leading[which], made.cloth, np.random.default_rng([seed, 16, made.number, which]))


@lru_cache(maxsize=12)
def _mesh(seed: int, number: int, which: int) -> Mesh:
    """A product's surfaces, kept while its views are drawn one after the other. Nobody changes them."""
    made = style(number, seed)
    _, dress = _dress(made, which, seed)
    return mesh(bag.sheets(made.shape, dress) if isinstance(made.shape, Bag) else shoe.sheets(made.shape, dress))
