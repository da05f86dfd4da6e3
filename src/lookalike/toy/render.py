"""The renderer: a z-buffer over small triangles, shaded pixel by pixel.

In: sheets, where they are looked at from, how they are lit. Out: the object's color, its mask, its shadow.
Never: knows what a shoe is, draws a random number, or keeps anything between two pictures.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.toy.sheet import Floats, Sheet, normals, xyz

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Where the object is seen from, and how much of the frame it fills."""

    yaw: float  # degrees round the vertical: 0 looks at the outside, 90 at the front
    pitch: float  # degrees down from the horizon
    distance: float = 6.0  # in object lengths; nearer is stronger perspective
    roll: float = 0.0  # degrees
    fill: float = 0.84  # share of the frame that the larger side takes
    shift: tuple[float, float] = (0.0, 0.0)  # share of the frame, right and down
    about: tuple[float, float, float] | None = None  # look closely at this point; None fits the whole object
    span: float = 0.5  # with `about`: how much of the object's world the frame shows


@dataclass(frozen=True, kw_only=True)
class Light:
    """A studio: one soft key light, the white room round it, and how strongly things shine."""

    key: tuple[float, float, float] = (-0.45, 0.75, 0.6)  # right, up, towards the camera
    strength: float = 0.62
    room: float = 0.52
    shadow: float = 0.35
    shadow_slant: tuple[float, float] = (0.0, 0.0)  # how far a shadow falls along the ground, per unit of height


@dataclass(frozen=True)
class Seen:
    """What each pixel of the picture sees: the triangle, and where in it. Flat arrays over the covered pixels only."""

    pixels: Ints  # (N,) flat index into the picture
    triangles: Ints  # (N,)
    weights: Floats  # (N, 3) barycentric


def axes(camera: Camera) -> Floats:
    """The camera's right, up and towards-the-viewer directions, as rows of a (3, 3) matrix."""
    yaw, pitch, roll = np.radians([camera.yaw, camera.pitch, camera.roll])
    toward = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([-np.cos(yaw), np.sin(yaw), 0.0])
    up = np.cross(toward, right)
    turned = np.cos(roll) * right + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * right
    return np.stack([*turned, toward]).astype(np.float32)


def project(points: Floats, camera: Camera, side: int, fit: Floats) -> Floats:
    """Points (V, 3) to the frame: x right and y down in pixels, and depth growing away from the viewer -> (V, 3).

    The points `fit` decide the framing.
    """
    look = axes(camera)
    middle = (fit.max(0) + fit.min(0)) / 2 if camera.about is None else np.array(camera.about, np.float32)
    seen, frame = _perspective(points - middle, look, camera), _perspective(fit - middle, look, camera)
    low, high = frame[:, :2].min(0), frame[:, :2].max(0)
    centre, scale = (
        ((low + high) / 2, camera.fill / (high - low).max()) if camera.about is None else (0.0, 1 / camera.span)
    )
    flat = (seen[:, :2] - centre) * scale * [1, -1] + 0.5 + np.array(camera.shift)
    return np.column_stack([flat * side - 0.5, seen[:, 2]]).astype(np.float32)  # whole numbers are pixels' middles


def _perspective(points: Floats, look: Floats, camera: Camera) -> Floats:
    seen = points @ look.T
    nearer = camera.distance / (camera.distance - seen[:, 2:])
    return np.hstack([seen[:, :2] * nearer, -seen[:, 2:]])


def rasterize(corners: Floats, side: int) -> Seen:
    """Which of the triangles (T, 3 corners, x y depth) each pixel of a side x side frame sees first.

    Every triangle is cut into rows, every row into pixels, all at once; the nearest at each pixel stays.
    """
    rows, y = _spread(*_within(corners[:, :, 1].min(1), corners[:, :, 1].max(1), side))
    left, right = _crossings(corners[rows], y)
    spans, x = _spread(*_within(left, right, side))
    triangles, y = rows[spans], y[spans]
    depth = _depths(corners, triangles, x, y)
    pixels = y.astype(np.int64) * side + x.astype(np.int64)
    nearest = np.full(side * side, np.inf, np.float32)
    np.minimum.at(nearest, pixels, depth)
    first = np.full(side * side, -1, np.int64)
    kept = np.flatnonzero(depth <= nearest[pixels])
    first[pixels[kept]] = kept
    kept = first[first >= 0]
    return Seen(pixels[kept], triangles[kept], _barycentric(corners[triangles[kept]], x[kept], y[kept]))


def _within(low: Floats, high: Floats, side: int) -> tuple[Floats, Ints]:
    """The first whole number of each interval, and how many there are, inside the frame."""
    first = np.clip(np.ceil(low - 1e-3), 0, side)
    last = np.clip(np.floor(high + 1e-3), -1, side - 1)
    return first, np.maximum(last - first + 1, 0).astype(np.int64)


def _spread(first: Floats, count: Ints) -> tuple[Ints, Floats]:
    """Intervals to their members: the interval's index and the whole number, one entry a member."""
    owner = np.repeat(np.arange(len(count)), count)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    return owner, (first[owner] + offset).astype(np.float32)


def _crossings(corners: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Where the line at height y enters and leaves each triangle (N, 3, 3) -> left, right (N,)."""
    left, right = np.full(len(y), np.inf, np.float32), np.full(len(y), -np.inf, np.float32)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        xa, ya, xb, yb = corners[:, a, 0], corners[:, a, 1], corners[:, b, 0], corners[:, b, 1]
        rise = yb - ya
        along = (y - ya) / _not_zero(rise)
        crosses = (along >= -1e-3) & (along <= 1.001)
        x = xa + along * (xb - xa)
        left, right = np.where(crosses, np.minimum(left, x), left), np.where(crosses, np.maximum(right, x), right)
    return left, right


def _depths(corners: Floats, triangles: Ints, x: Floats, y: Floats) -> Floats:
    """How far away each pixel (x, y) of a triangle lies: on its plane, but no nearer than its nearest corner."""
    x0, y0, depth = corners[:, 0].T
    (ax, ay, az), (bx, by, bz) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    area = _not_zero(ax * by - ay * bx)
    right, down = (az * by - ay * bz) / area, (ax * bz - az * bx) / area
    plane = np.stack([x0, y0, depth, right, down, corners[:, :, 2].min(1)], axis=1)[triangles]
    on_plane = plane[:, 2] + plane[:, 3] * (x - plane[:, 0]) + plane[:, 4] * (y - plane[:, 1])
    return np.asarray(np.maximum(on_plane, plane[:, 5]), np.float32)


def _barycentric(corners: Floats, x: Floats, y: Floats) -> Floats:
    """The shares of a triangle's corners (N, 3, 3) in its point (x, y) -> (N, 3)."""
    x0, y0 = corners[:, 0, 0], corners[:, 0, 1]
    (ax, ay, _), (bx, by, _) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    area = _not_zero(ax * by - ay * bx)
    second = np.clip(((x - x0) * by - (y - y0) * bx) / area, 0, 1)
    third = np.clip(((y - y0) * ax - (x - x0) * ay) / area, 0, 1)
    return np.stack([1 - second - third, second, third], axis=1)


def _not_zero(value: Floats) -> Floats:
    return np.where(np.abs(value) < 1e-6, np.float32(1e-6), value)


@dataclass(frozen=True)
class Mesh:
    """All sheets as one heap of triangles, with the skins stacked in one tall picture."""

    points: Floats  # (V, 3)
    normals: Floats  # (V, 3)
    places: Floats  # (V, 2) column and row in `skin`
    triangles: Ints  # (T, 3)
    skin: Floats  # (H, W, 4) red green blue height, 0..1
    finish: Floats  # (H, W, 3) gloss, metal, how dark the inside is


def mesh(sheets: list[Sheet]) -> Mesh:
    """Sheets as one mesh."""
    wide = max(sheet.skin.shape[1] for sheet in sheets)
    skin = np.concatenate([_widened(sheet.skin, wide) for sheet in sheets]).astype(np.float32)
    firsts = np.cumsum([0] + [sheet.points[..., 0].size for sheet in sheets])
    tops = np.cumsum([0] + [len(sheet.skin) for sheet in sheets])
    return Mesh(
        np.concatenate([sheet.points.reshape(-1, 3) for sheet in sheets]).astype(np.float32),
        np.concatenate([normals(sheet.points).reshape(-1, 3) for sheet in sheets]).astype(np.float32),
        np.concatenate([_places(sheet, top) for sheet, top in zip(sheets, tops.tolist(), strict=False)]),
        np.concatenate(
            [_grid_triangles(*sheet.points.shape[:2]) + k for sheet, k in zip(sheets, firsts, strict=False)]
        ),
        np.ascontiguousarray(skin[..., :4]),
        np.ascontiguousarray(skin[..., 4:]),
    )


def joined(one: Mesh, two: Mesh) -> Mesh:
    """Two meshes as one."""
    wide = max(one.skin.shape[1], two.skin.shape[1])
    return Mesh(
        np.concatenate([one.points, two.points]),
        np.concatenate([one.normals, two.normals]),
        np.concatenate([one.places, two.places + np.array([0, len(one.skin)], np.float32)]),
        np.concatenate([one.triangles, two.triangles + len(one.points)]),
        np.concatenate([_widened(one.skin, wide), _widened(two.skin, wide)]),
        np.concatenate([_widened(one.finish, wide), _widened(two.finish, wide)]),
    )


def mirrored(one: Mesh, shift: Floats) -> Mesh:
    """The mesh seen in a mirror that stands along x, moved by `shift` (3,): the right shoe of a left one."""
    flip = np.array([1, -1, 1], np.float32)
    return replace(one, points=one.points * flip + shift, normals=one.normals * flip)


def _widened(skin: Floats, wide: int) -> Floats:
    return np.pad(skin, ((0, 0), (0, wide - skin.shape[1]), (0, 0)), mode="edge") if skin.shape[1] < wide else skin


def _places(sheet: Sheet, top: int) -> Floats:
    """Column and row of the stacked skin at each point of the sheet."""
    (rows, columns), (high, wide) = sheet.points.shape[:2], sheet.skin.shape[:2]
    row, column = np.linspace(0, high - 1, rows) + top, np.linspace(0, wide - 1, columns)
    return np.column_stack([np.tile(column, rows), np.repeat(row, columns)]).astype(np.float32)


def _grid_triangles(rows: int, columns: int) -> Ints:
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    one = np.stack([corner, corner + 1, corner + columns + 1], axis=1)
    two = np.stack([corner, corner + columns + 1, corner + columns], axis=1)
    return np.concatenate([one, two])


@dataclass(frozen=True)
class Drawn:
    """The object alone, on nothing."""

    color: Floats  # (size, size, 3) already multiplied by the mask
    mask: Floats  # (size, size) 0..1
    shadow: Floats  # (size, size) how dark the ground lies, 0..1


def render(scene: Mesh, camera: Camera, light: Light, size: int, fit: Floats, finer: int = 2) -> Drawn:
    """Draw the scene `finer` times as large and average; the points `fit` (V, 3) fill the frame."""
    side = size * finer
    frame = project(scene.points, camera, side, fit)
    seen = rasterize(frame[scene.triangles], side)
    told = np.column_stack([scene.normals @ axes(camera).T, scene.places, frame[:, 2]])[scene.triangles[seen.triangles]]
    told = np.einsum("nk,nkc->nc", seen.weights, told)
    skin, finish, bump = _surface(scene, seen.pixels, told[:, 3:5], side)
    facing, inward = _facing(told[:, :3], bump)
    color = _shade(skin[:, :3], finish, facing, light) * _crevices(seen.pixels, told[:, 5], side)[:, None]
    color *= np.where(inward, finish[:, 2], 1)[:, None]
    layers = np.zeros((side * side, 4), np.float32)
    layers[seen.pixels, :3], layers[seen.pixels, 3] = color, 1
    small = cv2.resize(layers.reshape(side, side, 4), (size, size), interpolation=cv2.INTER_AREA)
    return Drawn(small[..., :3], small[..., 3], cast_shadow(scene.points, camera, light, size, fit))


def _facing(normal: Floats, bump: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Unit normals turned to the viewer and tilted by the skin's slope, and which of them looked away."""
    inward = normal[:, 2] < 0
    facing = normal * np.where(inward, np.float32(-1), np.float32(1))[:, None]
    facing[:, :2] -= bump
    facing /= np.maximum(np.sqrt(np.einsum("nk,nk->n", facing, facing)), np.float32(1e-6))[:, None]
    return facing, inward


def _surface(scene: Mesh, pixels: Ints, places: Floats, side: int) -> tuple[Floats, Floats, Floats]:
    """Skin (N, 4), finish (N, 3) and the slope of the skin's height (N, 2) at the covered pixels."""
    maps = np.full((2, side * side), -10, np.float32)
    maps[:, pixels] = places.T
    column, row = maps.reshape(2, side, side)
    skin = cv2.remap(scene.skin, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    finish = cv2.remap(scene.finish, column, row, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    height = np.ascontiguousarray(skin[..., 3])
    slope = [cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125), -cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125)]
    bump = np.clip(np.stack([s.ravel()[pixels] for s in slope], axis=1) * (side / 60), -0.45, 0.45)
    return skin.reshape(-1, 4)[pixels], finish.reshape(-1, 3)[pixels], bump


def _crevices(pixels: Ints, depth: Floats, side: int) -> Floats:
    """How open each covered pixel lies (N,): less than 1 where its neighbours stand nearer to the viewer."""
    near = np.zeros((side * side, 2), np.float32)
    near[pixels, 0], near[pixels, 1] = depth - depth.min(), 1
    few = max(side // 4, 1)
    around = cv2.GaussianBlur(
        cv2.resize(near.reshape(side, side, 2), (few, few), interpolation=cv2.INTER_AREA), (0, 0), few * 0.02
    )
    level = cv2.resize(around[..., 0] / (around[..., 1] + 1e-3), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 - np.clip((near[pixels, 0] - level.ravel()[pixels]) * 4, -0.04, 0.4), np.float32)


def _shade(color: Floats, finish: Floats, facing: Floats, light: Light) -> Floats:
    """Colors (N, 3) under the light. Works on squared values, a cheap stand-in for linear light."""
    gloss, metal = finish[:, 0], finish[:, 1]
    key = _unit(light.key)
    lit = np.clip((facing @ key + 0.25) / 1.25, 0, 1)
    sky = 0.5 + 0.5 * facing[:, 1]
    brightness = light.room * (0.62 + 0.38 * sky + 0.12 * facing[:, 2]) + light.strength * lit
    straight = np.clip(facing @ _unit(key + xyz(0, 0, 1)), 0, 1)
    sharp = straight ** (6 + 90 * gloss**2)
    mirror = 2 * facing[:, 2:3] * facing - np.array([0, 0, 1], np.float32)
    box = _step(mirror[:, 1], 0.35, 0.6) * _step(-np.abs(mirror[:, 0] + 0.25), -0.75, -0.45)
    edge = (1 - np.clip(facing[:, 2], 0, 1)) ** 3
    shine = gloss * (0.10 + 0.5 * gloss) * sharp + gloss**2 * (0.35 * box + 0.25 * edge * sky)
    base = color**2
    mirrored = base * (0.35 + 1.2 * box + 0.9 * sharp + 0.5 * sky * lit)[:, None]
    plain = base * brightness[:, None] * (1 - 0.15 * gloss[:, None]) + shine[:, None]
    light_out = plain + metal[:, None] * (mirrored + 0.5 * shine[:, None] - plain)
    return np.asarray(np.sqrt(np.clip(light_out, 0, 1.2)), np.float32)


def _unit(direction: ArrayLike) -> Floats:
    given = np.asarray(direction, np.float32)
    return given / np.float32(np.linalg.norm(given))


def _step(value: Floats, low: float, high: float) -> Floats:
    along = np.clip((value - low) / (high - low), 0, 1)
    return along * along * (3 - 2 * along)


def cast_shadow(points: Floats, camera: Camera, light: Light, size: int, fit: Floats) -> Floats:
    """How dark the ground lies under the points (size, size): close and sharp at the contact, wide and faint above."""
    high = points[:, 2:]
    along = np.hstack([high * np.array(light.shadow_slant, np.float32), -high])
    few = max(size // 2, 1)
    spots = project(points + along, camera, few, fit)[:, :2]
    close = _spots(spots, np.exp(-22 * high[:, 0]), few, 0.014)
    wide = _spots(spots, np.exp(-3 * high[:, 0]), few, 0.045)
    dark = np.clip(light.shadow * (1.1 * close + 0.75 * wide), 0, 0.8)
    return cv2.resize(dark, (size, size), interpolation=cv2.INTER_LINEAR)


def _spots(spots: Floats, weight: Floats, few: int, blur: float) -> Floats:
    """Points thrown on a small frame, filled where any landed, blurred."""
    at = np.clip(spots.astype(np.int64), 0, few - 1)
    heap = np.zeros(few * few, np.float32)
    np.maximum.at(heap, at[:, 1] * few + at[:, 0], weight)
    closed = cv2.morphologyEx(heap.reshape(few, few), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(closed, (0, 0), few * blur)
