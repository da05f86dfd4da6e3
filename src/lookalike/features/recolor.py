"""The same picture in other colors: what shows how far a search goes by color.

In: pictures (B, S, S, 3) uint8 RGB, a batch at a time. Out: pictures of the same shape. Never: changes a shape, or draws at
random.

Hue is turned as the knob of a television turned it: in the plane where ITU-R 601's luminance stays what it was, so that a
network that sees gray sees the same picture, and what moves another network is its color. In CIELAB or HSV the luminance
would move along, and with it what a gray network sees.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lookalike.features.color_histogram import LINEAR, TO_XYZ
from lookalike.features.foreground import foreground
from lookalike.features.grayscale import grayscale

Pictures = NDArray[np.uint8]
Gains = NDArray[np.float64]  # (3,) of red, green and blue, in linear light

LUMA = np.array([0.299, 0.587, 0.114])
TO_YIQ = np.array([LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
WARM, COOL = 4500.0, 10000.0  # kelvin: a low sun, open shade; a picture without a cast has 6504


def hue(pictures: Pictures, degrees: float) -> Pictures:
    """Every color turned about the gray axis, its luminance kept: to one level, for colors are whole numbers.

    A color that no screen has is drawn towards the gray of its luminance until a screen has it.
    """
    turn = np.radians(degrees)
    turned = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    matrix = np.linalg.inv(TO_YIQ) @ turned @ TO_YIQ
    seen = pictures.astype(np.float32)
    luma = (seen @ LUMA.astype(np.float32))[..., None]
    away = seen @ matrix.T.astype(np.float32) - luma
    room = np.where(away > 0, 255 - luma, luma)
    share = np.min(room / np.maximum(np.abs(away), room + 1e-6), axis=-1, keepdims=True)
    moved: Pictures = np.rint(luma + share * away).clip(0, 255).astype(np.uint8)
    return moved


def gray(pictures: Pictures) -> Pictures:
    """Every color taken out: the luminance, in all three channels."""
    return np.repeat(grayscale(pictures)[..., None], 3, axis=-1)


def white_balance(pictures: Pictures, gains: Gains) -> Pictures:
    """The picture under another light, or through a camera that took the light for another. gains (3,): see `light`."""
    levels = np.clip(LINEAR[:, None].astype(float) * gains, 0, 1)
    coded = np.where(levels <= 0.0031308, levels * 12.92, 1.055 * levels ** (1 / 2.4) - 0.055)
    table = np.rint(255 * coded).astype(np.uint8)
    return np.stack([table[pictures[..., channel], channel] for channel in range(3)], axis=-1)


def light(kelvin: float) -> Gains:
    """What the light of day at a color temperature (4,000 to 25,000) does to red, green and blue; the strongest is 1.

    The CIE's daylight locus; nothing grows brighter, so nothing is lost in white.
    """
    if not 4000 <= kelvin <= 25000:
        raise ValueError(f"the light of day has 4000 to 25000 kelvin, not {kelvin:g}")
    near = (0.244063, 0.09911e3, 2.9678e6, -4.6070e9)
    far = (0.237040, 0.24748e3, 1.9018e6, -2.0064e9)
    x = sum(factor / kelvin**power for power, factor in enumerate(near if kelvin <= 7000 else far))
    y = -3 * x**2 + 2.87 * x - 0.275
    told = np.linalg.solve(TO_XYZ, [x / y, 1, (1 - x - y) / y])
    gains: Gains = told / told.max()
    return gains


def foreground_hue(pictures: Pictures, masks: NDArray[np.bool_], degrees: float) -> Pictures:
    """The product in another hue, the ground as it was. masks (B, S, S), True on the product."""
    return np.where(masks[..., None], hue(pictures, degrees), pictures)


def _product_hue(pictures: Pictures, degrees: float) -> Pictures:
    return foreground_hue(pictures, foreground(pictures), degrees)


# What the table of color reliance asks, by the name that it is shown under.
CHANGES: dict[str, Callable[[Pictures], Pictures]] = {
    "hue turned by 30 degrees": partial(hue, degrees=30),
    "hue turned by 90 degrees": partial(hue, degrees=90),
    "hue turned by 180 degrees": partial(hue, degrees=180),
    "product's hue turned by 90 degrees": partial(_product_hue, degrees=90),
    "product's hue turned by 180 degrees": partial(_product_hue, degrees=180),
    "gray": gray,
    "warm light": partial(white_balance, gains=light(WARM)),
    "cool light": partial(white_balance, gains=light(COOL)),
}
