"""Colors and materials by the names that shops give them, and colorways: which part of a style gets which.

In: a generator of chance and a style's materials. Out: the colorway's name and its dress.
Never: draws, or knows a shape.
"""

from dataclasses import dataclass

import numpy as np

from lookalike.toy.skin import Dress, Stuff

Color = tuple[float, float, float]
Chance = np.random.Generator

COLORS = {
    "Black": "1f1e20",
    "White": "f0efeb",
    "Ivory": "ebe4d2",
    "Cognac": "96552b",
    "Tan": "b98555",
    "Chocolate": "4b3025",
    "Taupe": "93836f",
    "Camel": "c09a66",
    "Navy": "202c49",
    "Denim": "4d6a8f",
    "Sky": "a3bfd6",
    "Grey": "8a8b8d",
    "Charcoal": "47484c",
    "Burgundy": "5f1f2b",
    "Red": "b0232a",
    "Coral": "e0715d",
    "Blush": "e2bbb0",
    "Fuchsia": "b92f6c",
    "Plum": "503049",
    "Lilac": "b3a3c9",
    "Olive": "5f6040",
    "Forest": "2a4a3a",
    "Sage": "a0ad93",
    "Teal": "21646a",
    "Mustard": "c8962f",
    "Rust": "9b4724",
    "Lemon": "ecd873",
    "Nude": "d7b195",
    "Stone": "cbc3b4",
    "Gold": "c4a25e",
    "Silver": "b9bbbf",
    "Rose Gold": "cb9a84",
}
STAPLES = ("Black", "White", "Cognac", "Navy", "Tan", "Grey", "Chocolate", "Taupe", "Nude", "Ivory")
METALLIC = ("Gold", "Silver", "Rose Gold")
PRINTS = {"leopard": ("b98555", "2b2019"), "snake": ("d8cfbf", "6d6459"), "check": ("cfc6b4", "3b3a3a")}


@dataclass(frozen=True, kw_only=True)
class Cloth:
    """What a style is made of, whatever its color."""

    main: str = "leather"
    main_pattern: str = "plain"
    second: str = "leather"
    accent: str = "leather"
    sole: str = "rubber"
    heel: str = "leather"
    soles: tuple[str, ...] = ("same", "Black", "Chocolate")  # colors a sole may take; "same" is the upper's
    metal: str = "Gold"
    contrast: float = 0.4  # how often the panels take another color


def color(name: str) -> Color:
    """A named color, 0..1."""
    return shade(COLORS[name])


def shade(code: str, factor: float = 1.0) -> Color:
    """A color from its hexadecimal code, darker or lighter by `factor`."""
    r, g, b = (min(int(code[i : i + 2], 16) / 255 * factor, 1.0) for i in (0, 2, 4))
    return r, g, b


def stuff(name: str, finish: str, pattern: str = "plain", factor: float = 1.0) -> Stuff:
    """A material in a named color; a printed one is darker or lighter in its second color."""
    first = shade(COLORS[name], factor)
    light = sum(first) > 0.9
    r, g, b = ((c * 0.55) if light else min(c * 1.6 + 0.08, 1) for c in first)
    return Stuff(first, (r, g, b), "metallic" if name in METALLIC else finish, pattern)


def names(chance: Chance) -> list[str]:
    """All colors in the order in which a style's colorways lead with them, staples more often early than late."""
    every = list(COLORS)
    weight = np.array([3.0 if name in STAPLES else 1.0 for name in every])
    weight[0] = 7.0  # black sells
    return [every[k] for k in chance.choice(len(every), size=len(every), replace=False, p=weight / weight.sum())]


def colorway(name: str, cloth: Cloth, chance: Chance) -> tuple[str, Dress]:
    """The shop's word for a colorway, and the dress: main second accent sole heel lining trim metal thread."""
    other = _other(name, chance)
    two_tone = chance.random() < cloth.contrast
    second = other if two_tone else name
    accent = _other(name, chance) if chance.random() < cloth.contrast else second
    deeper = 1.0 if two_tone else float(chance.choice([0.72, 0.85, 1.0, 1.18]))
    sole = str(chance.choice(cloth.soles))
    sole = name if sole == "same" else sole
    lining = str(chance.choice(["Nude", "Camel", "Stone", "Grey", "Black", name], p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1]))
    thread = str(chance.choice([name, "Ivory", "Camel"], p=[0.6, 0.2, 0.2]))
    dress = {
        "main": _main(name, cloth),
        "second": stuff(second, cloth.second, factor=deeper),
        "accent": stuff(accent, cloth.accent),
        "sole": stuff(sole, cloth.sole, factor=0.9),
        "heel": stuff(name if cloth.heel not in ("wood", "cork") else "Cognac", cloth.heel, factor=0.95),
        "lining": stuff(lining, "leather"),
        "trim": stuff(second if two_tone else name, cloth.accent, factor=0.9),
        "metal": Stuff(color(cloth.metal), color(cloth.metal), "metal"),
        "thread": stuff(thread, "canvas", factor=0.8 if thread == name else 1.0),
    }
    told = name if not two_tone else f"{name}/{second}"
    return told, dress


def _main(name: str, cloth: Cloth) -> Stuff:
    if cloth.main_pattern in PRINTS and name in STAPLES:
        first, second = PRINTS[cloth.main_pattern]
        blend = shade(COLORS[name])
        r, g, b = (0.45 * a + 0.55 * c for a, c in zip(shade(first), blend, strict=True))
        return Stuff((r, g, b), shade(second), cloth.main, cloth.main_pattern)
    return stuff(name, cloth.main, cloth.main_pattern)


def _other(name: str, chance: Chance) -> str:
    every = [one for one in COLORS if one != name]
    weight = np.array([4.0 if one in STAPLES else 1.0 for one in every])
    return every[int(chance.choice(len(every), p=weight / weight.sum()))]
