"""A photograph: where a shop's camera stands for each view, the studio's little accidents, the ground, and clutter.

In: a mesh, a view's camera, a generator of chance. Out: (size, size, 3) uint8 RGB.
Never: knows styles, colorways or files.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lookalike.toy.render import Camera, Light, Mesh, joined, mesh, mirrored, render
from lookalike.toy.sheet import Floats, Sheet, box
from lookalike.toy.skin import Stuff, flat, grain

Chance = np.random.Generator
Picture = NDArray[np.uint8]

SHOE_VIEWS = {
    "outside": Camera(yaw=4, pitch=7),
    "three-quarter": Camera(yaw=46, pitch=20),
    "inside": Camera(yaw=186, pitch=7),
    "pair": Camera(yaw=52, pitch=24, distance=7),
    "top": Camera(yaw=14, pitch=58),
    "front": Camera(yaw=88, pitch=13, fill=0.74),
    "back": Camera(yaw=268, pitch=11, fill=0.74),
}
BAG_VIEWS = {
    "front": Camera(yaw=0, pitch=5),
    "three-quarter": Camera(yaw=36, pitch=14),
    "side": Camera(yaw=84, pitch=6, fill=0.8),
    "back": Camera(yaw=180, pitch=5),
    "top": Camera(yaw=16, pitch=48),
    "detail": Camera(yaw=20, pitch=14, about=(0.0, 0.1, 0.38), span=0.62),
}
FINER = 2  # drawn so many times as large, then averaged


@dataclass(frozen=True, kw_only=True)
class Studio:
    """The accidents of one exposure."""

    exposure: float
    tint: Floats  # (3,) the white balance
    ground: float  # how white the floor is
    noise: float


def photograph(thing: Mesh, camera: Camera, chance: Chance, size: int, *, clutter: float = 0.0) -> Picture:
    """Take one picture of the object standing on the studio's floor, or with `clutter` (0..1) on somebody's table."""
    camera, light, studio = _camera(camera, chance), _light(chance), _studio(chance)
    drawn = render(with_props(thing, camera.yaw, chance, clutter), camera, light, size, thing.points, FINER)
    ground = floor(size, studio.ground, camera.pitch, chance, clutter) * (1 - drawn.shadow[..., None])
    return develop(ground * (1 - drawn.mask[..., None]) + drawn.color, studio, chance)


def pair(shoe: Mesh) -> Mesh:
    """The shoe and its mirrored other half, a little ahead."""
    reach = float(shoe.points[:, 1].max())
    return joined(shoe, mirrored(shoe, np.array([0.2, -2 * reach - 0.07, 0], np.float32)))


def _camera(camera: Camera, chance: Chance) -> Camera:
    """Nobody puts the tripod in the same place twice."""
    yaw, pitch, roll, fill, right, down = chance.uniform(-1, 1, 6)
    return replace(
        camera,
        yaw=camera.yaw + 6 * yaw,
        pitch=camera.pitch + 3 * pitch,
        roll=0.8 * roll,
        fill=camera.fill + 0.06 * fill,
        shift=(0.015 * right, 0.02 * down),
        distance=camera.distance * 2 ** (0.3 * roll),
    )


def _light(chance: Chance) -> Light:
    side, high, strong, room, shadow, slant = chance.uniform(-1, 1, 6)
    return Light(
        key=(-0.3 + 0.45 * side, 0.8 + 0.12 * high, 0.6),
        strength=0.6 + 0.1 * strong,
        room=0.53 + 0.05 * room,
        shadow=0.36 + 0.12 * shadow,
        shadow_slant=(0.15 * slant, -0.12),
    )


def _studio(chance: Chance) -> Studio:
    exposure, warm, ground, noise = chance.uniform(-1, 1, 4)
    tint = np.array([1 + 0.018 * warm, 1, 1 - 0.022 * warm], np.float32)
    return Studio(exposure=1 + 0.05 * exposure, tint=tint, ground=1.0 + 0.015 * ground, noise=0.005 + 0.004 * noise)


def develop(picture: Floats, studio: Studio, chance: Chance) -> Picture:
    """Exposure, white balance, the sensor's noise -> uint8."""
    grainy = chance.standard_normal(picture.shape[:2], np.float32)[..., None] * studio.noise
    exposed = picture * (studio.exposure * studio.tint)
    shoulder = np.where(exposed > 0.9, 0.9 + 0.1 * np.tanh((exposed - 0.9) / 0.1), exposed)
    return np.asarray(np.clip(shoulder + grainy * (shoulder < 0.96), 0, 1) * 255 + 0.5).astype(np.uint8)


# ---------------------------------------------------------------- clutter


def floor(side: int, white: float, pitch: float, chance: Chance, clutter: float) -> Floats:
    """What lies behind and under the object: a white sweep, or the more clutter the more of a room (side, side, 3).

    The further down the camera looks (`pitch`, degrees), the less of the wall it sees.
    """
    plain = np.full((side, side, 3), white, np.float32)
    if not clutter:
        return plain
    y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j].astype(np.float32)
    horizon = 0.46 - 0.012 * pitch + chance.uniform(-0.06, 0.06)
    table = TABLES[int(chance.integers(len(TABLES)))](x, y, chance)
    wall = tone(chance) * (0.9 + 0.1 * y[..., None]) * np.ones_like(table)
    room = np.where((y < horizon)[..., None], wall, table)
    vignette = 1 - 0.35 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)[..., None]
    return np.asarray(plain + min(1.0, 0.35 + clutter) * (room * vignette - plain), np.float32)


def tone(chance: Chance) -> Floats:
    """The color of a wall, a cloth or a box at somebody's home: rather gray."""
    return np.asarray(np.clip(chance.uniform(0.3, 0.92) + chance.uniform(-0.08, 0.08, 3), 0, 1), np.float32)


def _planks(x: Floats, y: Floats, chance: Chance) -> Floats:
    across = (x - 0.5) / (0.35 + y) * 3 + chance.uniform(0, 1)
    board = grain(np.floor(across), np.zeros_like(y), 2.0, 5) * 0.06
    streak = 0.05 * grain(across * 0.4, y * 0.03, 0.02, 6)
    gap = np.clip(np.abs(across % 1 - 0.5) * 60 - 28.5, 0, 1)
    wood = np.array([0.62, 0.47, 0.33], np.float32) * chance.uniform(0.6, 1.35)
    return wood * np.asarray(1 + board + streak - 0.4 * gap)[..., None]


def _cloths(x: Floats, y: Floats, chance: Chance) -> Floats:
    folds = 0.08 * grain(x + 0.3 * y, y, 0.9, 8) + 0.03 * grain(x, y, 0.015, 9)
    return tone(chance) * np.asarray(1 + folds)[..., None]


def _tiles(x: Floats, y: Floats, chance: Chance) -> Floats:
    deep = 1 / (0.4 + y)
    odd = (np.floor((x - 0.5) * deep * 3 + chance.uniform(0, 1)) + np.floor(deep * 4)) % 2
    return np.where(odd[..., None] > 0, tone(chance), tone(chance))


TABLES = (_planks, _cloths, _tiles)


def with_props(thing: Mesh, yaw: float, chance: Chance, clutter: float) -> Mesh:
    """The object among boxes and drums, more of them the more clutter, beside and behind it as seen from `yaw`."""
    count = int(chance.binomial(4, clutter)) if clutter else 0
    if not count:
        return thing
    low, high = thing.points.min(0), thing.points.max(0)
    middle, reach = (low + high) / 2, float(np.linalg.norm((high - low)[:2])) / 2
    return joined(thing, mesh([_prop(middle, reach, yaw, chance) for _ in range(count)]))


def _prop(middle: Floats, reach: float, yaw: float, chance: Chance) -> Sheet:
    away = np.radians(yaw + 180 + chance.uniform(-115, 115))  # never between the camera and the object
    wide, deep, tall = chance.uniform(0.07, 0.24, 3)
    far = reach * chance.uniform(1.0, 1.35) + max(wide, deep)
    at = (middle[0] + far * np.sin(away), middle[1] + far * np.cos(away), tall)
    red, green, blue = (float(share) for share in tone(chance))
    stuff = Stuff((red, green, blue), (red, green, blue), ("leather", "canvas", "patent")[int(chance.integers(3))])
    power = (2, 12, 12)[int(chance.integers(3))]
    return Sheet(box(at, (wide, deep, tall), chance.uniform(0.02, 0.25), power, 49), flat(stuff))
