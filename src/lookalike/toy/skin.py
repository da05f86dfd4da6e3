"""Skins: what a surface is made of and what is drawn on it. Leather, suede, knit, croc; panels, seams, stitches.

In: where on the object each texel lies, a material, panels. Out: (H, W, 7) arrays as `Sheet` wants them.
Never: knows which object it dresses, or draws an unseeded random number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from lookalike.toy.sheet import Floats

Color = tuple[float, float, float]
Pattern = Callable[[Floats, Floats], tuple[Floats, Floats]]  # along, up -> share of the second color, height


@dataclass(frozen=True)
class Stuff:
    """A colored material."""

    color: Color  # 0..1
    second: Color  # the other color of a print or weave
    finish: str  # a key of FINISHES
    pattern: str = "plain"  # a key of PATTERNS


Dress = dict[str, Stuff]  # what a product's parts are made of: main second accent sole heel lining trim metal thread


@dataclass(frozen=True)
class Finish:
    """How a material takes light, and its grain."""

    gloss: float
    metal: float
    grain: float  # how deep
    size: float  # how large, in foot lengths
    mottle: float  # how uneven its color


FINISHES = {
    "leather": Finish(0.42, 0.0, 0.12, 0.014, 0.03),
    "pebbled": Finish(0.34, 0.0, 0.42, 0.026, 0.03),
    "waxed": Finish(0.5, 0.0, 0.12, 0.05, 0.10),
    "suede": Finish(0.0, 0.0, 0.35, 0.006, 0.065),
    "patent": Finish(0.95, 0.0, 0.0, 0.05, 0.0),
    "canvas": Finish(0.03, 0.0, 0.35, 0.005, 0.05),
    "mesh": Finish(0.05, 0.0, 0.5, 0.008, 0.06),
    "metallic": Finish(0.7, 0.75, 0.05, 0.02, 0.02),
    "metal": Finish(0.85, 1.0, 0.0, 0.05, 0.0),
    "rubber": Finish(0.16, 0.0, 0.15, 0.008, 0.02),
    "wood": Finish(0.3, 0.0, 0.1, 0.01, 0.04),
    "fleece": Finish(0.0, 0.0, 2.4, 0.03, 0.08),
    "glitter": Finish(0.6, 0.3, 1.6, 0.006, 0.25),
}


@cache
def noise(seed: int) -> Floats:
    """A tile (256, 256) of noise with mean 0 and deviation 1, about five texels a grain, that joins at its edges."""
    raw = np.random.default_rng([7, seed]).standard_normal((256, 256)).astype(np.float32)
    soft = cv2.GaussianBlur(np.tile(raw, (3, 3)), (0, 0), 1.2)[256:512, 256:512]
    tile = np.ascontiguousarray(soft / soft.std())
    tile.setflags(write=False)
    return tile


def grain(along: Floats, up: Floats, size: float, seed: int = 0) -> Floats:
    """Noise over a surface, grains of `size`."""
    column, row = (np.float32(5 / size) * at + 4096 for at in (along, up))
    return cv2.remap(
        noise(seed),
        (column % 256).astype(np.float32),
        (row % 256).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )


def _plain(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    return np.zeros_like(along), np.zeros_like(up)


def _croc(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    warp = 0.35 * grain(along, up, 0.15, 1)
    row = up / 0.045 + warp * 0.3
    column = along / 0.06 + 0.5 * (np.floor(row) % 2) + warp * 0.3
    scale = np.clip((0.5 - np.maximum(np.abs(row % 1 - 0.5), np.abs(column % 1 - 0.5))) * 5, 0, 1)
    return (1 - scale) * 0.75, scale * 0.5


def _snake(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    row, column = (along + up) / 0.035, (along - up) / 0.035
    scale = np.clip((0.5 - np.maximum(np.abs(row % 1 - 0.5), np.abs(column % 1 - 0.5))) * 6, 0, 1)
    patch = np.clip(0.5 + 0.9 * grain(along, up * 0.7, 0.14, 2), 0, 1)
    return np.clip(patch + 0.35 * (1 - scale), 0, 1), 0.3 * scale


def _leopard(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    spot = grain(along, up, 0.075, 3)
    rosette = np.clip((spot - 0.25) * 6, 0, 1) * np.clip((1.35 - spot) * 5, 0.25, 1)
    return rosette, np.zeros_like(up)


def _quilted(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    a, b = (along + up) / 0.12, (along - up) / 0.12
    puff = np.minimum(np.abs(np.sin(np.pi * a)), np.abs(np.sin(np.pi * b)))
    return np.clip(0.25 - puff * 2.5, 0, 1) * 0.6, 1.6 * np.sqrt(puff)


def _dots(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    row = up / 0.07
    column = along / 0.07 + 0.5 * (np.floor(row) % 2)
    away = np.hypot(row % 1 - 0.5, column % 1 - 0.5)
    return np.clip((0.24 - away) * 14, 0, 1), np.zeros_like(up)


def _stripes(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    return np.clip(0.5 + 6 * np.sin(2 * np.pi * up / 0.085), 0, 1), np.zeros_like(along)


def _check(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    a, b = (np.clip(0.5 + 6 * np.sin(2 * np.pi * at / 0.09), 0, 1) for at in (along, up))
    return 0.5 * a + 0.5 * b, np.zeros_like(up)


def _knit(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    rib = up / 0.022 + 0.25 * np.abs((along / 0.022) % 2 - 1)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * rib)
    return 0.3 * wave, 0.7 * wave


def _woven(along: Floats, up: Floats) -> tuple[Floats, Floats]:
    a, b = along / 0.05, up / 0.05
    over = (np.floor(a) + np.floor(b)) % 2
    across = np.where(over > 0, a % 1, b % 1)
    return np.clip(np.abs(across - 0.5) * 6 - 2.3, 0, 1) * 0.8, 1.2 * np.sqrt(np.clip(1 - (2 * across - 1) ** 2, 0, 1))


PATTERNS: dict[str, Pattern] = {
    "plain": _plain,
    "croc": _croc,
    "snake": _snake,
    "leopard": _leopard,
    "quilted": _quilted,
    "dots": _dots,
    "stripes": _stripes,
    "check": _check,
    "knit": _knit,
    "woven": _woven,
}


def darker(color: Color, share: float) -> Color:
    """The color at a share of its light."""
    red, green, blue = color
    return red * share, green * share, blue * share


def flat(stuff: Stuff, inside: float = 0.6) -> Floats:
    """A skin of one color, for parts too small to show grain -> (2, 2, 7)."""
    finish = FINISHES[stuff.finish]
    return np.broadcast_to(np.array([*stuff.color, 0, finish.gloss, finish.metal, inside], np.float32), (2, 2, 7))


def cloth(stuff: Stuff, along: Floats, up: Floats, inside: float = 0.6) -> Floats:
    """A skin of one material over a surface whose texels lie at `along`, `up` (H, W) -> (H, W, 7)."""
    finish = FINISHES[stuff.finish]
    share, height = PATTERNS[stuff.pattern](along, up)
    rough = grain(along, up, finish.size) if finish.grain or finish.mottle else np.zeros_like(along)
    color = (
        np.array(stuff.color, np.float32) * (1 - share[..., None])
        + np.array(stuff.second, np.float32) * share[..., None]
    )
    if finish.mottle:
        color = color * (1 + finish.mottle * (0.6 * grain(along, up, finish.size * 6, 4) + 0.4 * rough))[..., None]
    rest = np.array([finish.gloss, finish.metal, inside], np.float32)
    whole = [
        np.clip(color, 0, 1),
        (height + finish.grain * rough * 0.16)[..., None],
        np.broadcast_to(rest, (*along.shape, 3)),
    ]
    return np.concatenate(whole, axis=2).astype(np.float32)


def lay(under: Floats, over: Floats, inside: Floats, soft: float, thick: float = 0.35) -> Floats:
    """Lay the skin `over` on `under` where the signed distance `inside` (H, W) is positive, a seam along its edge."""
    cover = np.clip(inside / soft + 0.5, 0, 1)[..., None]
    laid = under * (1 - cover) + over * cover
    laid[..., 3] += thick * cover[..., 0]
    laid[..., :3] *= 1 - 0.28 * np.exp(-((inside / soft / 1.2) ** 2))[..., None]
    return laid


def stitch(under: Floats, inside: Floats, along: Floats, color: Color, gap: float = 0.014) -> Floats:
    """Sew a dashed line just inside a panel's edge: `inside` is the distance to the edge, `along` runs beside it."""
    line = np.exp(-(((inside - gap) / 0.0045) ** 2)) * (np.sin(along * 230) > -0.35)
    laid = under.copy()
    laid[..., :3] += 0.8 * line[..., None] * (np.array(color, np.float32) - laid[..., :3])
    laid[..., 3] -= 0.5 * np.exp(-(((inside - gap) / 0.008) ** 2))
    return laid


def line(under: Floats, away: Floats, width: float, color: Color, height: float = 0.0) -> Floats:
    """Draw a line where the distance `away` (H, W) is small."""
    cover = np.clip(1.5 - np.abs(away) / width, 0, 1)
    laid = under.copy()
    laid[..., :3] += cover[..., None] * (np.array(color, np.float32) - laid[..., :3])
    laid[..., 3] += height * cover
    return laid
