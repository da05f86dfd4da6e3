"""Styles: brands with habits, and what each of them would make of a recipe.

In: a seed and a style's number. Out: a Style: brand, category, name, shape, cloth, price, rating.
Never: colors or draws; and style 7 is the same whether 10 or 10,000 are made.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lookalike.toy.bag import Bag
from lookalike.toy.last import Shoe
from lookalike.toy.palette import Cloth
from lookalike.toy.recipes import RECIPES, Picks, Reach, Recipe

Chance = np.random.Generator

HABIT = 0.4  # how much of a style's proportions is its maker's habit; the rest is its own
USUAL = 0.3  # how often a maker makes its usual kind
SHELVES = (  # what comes after what in the shop
    "Boots",
    "Sneakers",
    "Boots",
    "Pumps",
    "Bags",
    "Sneakers",
    "Sandals",
    "Boots",
    "Sneakers",
    "Pumps",
    "Bags",
    "Sandals",
)


@dataclass(frozen=True)
class Brand:
    """An invented maker: its mark on a sneaker, its sort of leather and metal, its price level, its currency."""

    name: str
    mark: str
    leather: str
    metal: str
    level: float
    currency: str = "USD"


BRANDS = (
    Brand("Alder & Wren", "lozenge", "leather", "Gold", 1.3),
    Brand("Northquay", "bars", "pebbled", "Silver", 1.0),
    Brand("Casa Lumio", "wave", "patent", "Gold", 1.9, "EUR"),
    Brand("Fennimore", "chevron", "waxed", "Gold", 1.1),
    Brand("Pell Street", "bolt", "leather", "Silver", 0.6),
    Brand("Odile Marchand", "disc", "suede", "Gold", 5.2, "EUR"),
    Brand("Brisk", "wave", "canvas", "Silver", 0.8),
    Brand("Tamarack", "chevron", "suede", "Silver", 1.2),
    Brand("Solvei", "bars", "leather", "Rose Gold", 0.9),
    Brand("Kite & Harbor", "lozenge", "canvas", "Silver", 0.7, "GBP"),
)
GIVEN = (
    *("Alder", "Maren", "Juno", "Odessa", "Wick", "Tobin", "Lena", "Sorrel", "Hollis", "Ines", "Bram", "Calla"),
    *("Dara", "Ennis", "Faye", "Greer", "Hester", "Isla", "Jory", "Kestrel", "Linden", "Mabel", "Nell", "Orla"),
    *("Petra", "Quill", "Rhea", "Saffi", "Tansy", "Una", "Vesper", "Willa", "Yarrow", "Zola", "Ansel", "Briar"),
    *("Corin", "Delphi", "Elio", "Fern", "Gwen", "Harlow", "Imre", "Jessa", "Kira", "Lark", "Mirra", "Noor"),
    *("Opal", "Perrin", "Rowan", "Selby", "Thea", "Ursa", "Vale", "Wynn", "Arden", "Blythe", "Cove", "Dune"),
)


@dataclass(frozen=True)
class Style:
    """One model, before it is colored."""

    number: int
    brand: Brand
    category: str
    name: str
    shape: Shoe | Bag
    cloth: Cloth
    price: str  # as its shop writes it
    rating: str  # "" where nobody has rated it


def style(number: int, seed: int) -> Style:
    """The style of that number."""
    chance = np.random.default_rng([seed, 11, number])
    category = SHELVES[number % len(SHELVES)]
    which = int(chance.integers(len(BRANDS)))
    brand, habit = BRANDS[which], np.random.default_rng([seed, 12, which, list(RECIPES).index(category)])
    recipe = _kind(RECIPES[category], chance, habit)
    made = shape(recipe, brand, chance, habit)
    return Style(
        number,
        brand,
        category,
        f"{one(GIVEN, chance)} {recipe.words}",
        Bag(**made) if category == "Bags" else Shoe(**made),
        Cloth(metal=brand.metal, **picked(recipe.cloth, {"brand": brand.leather}, chance)),
        price(recipe.price * brand.level * chance.uniform(0.8, 1.3), brand.currency),
        f"{np.clip(round(2 * chance.normal(4.3, 0.4)) / 2, 1, 5):.1f}" if chance.random() < 0.85 else "",
    )


def _kind(kinds: tuple[Recipe, ...], chance: Chance, habit: Chance) -> Recipe:
    """The maker's usual kind, or any."""
    kind: Recipe = one(kinds, habit)
    if chance.random() >= USUAL:
        kind = one(kinds, chance)
    return kind


def shape(recipe: Recipe, brand: Brand, chance: Chance, habit: Chance) -> dict[str, Any]:
    """The parameters of a Shoe or a Bag."""
    made = near(recipe.near, chance, habit) | picked(recipe.pick, {"brand": brand.mark}, chance)
    made["panels"] = (*recipe.panels, *(name for name in recipe.maybe if chance.random() < recipe.share))
    straps = tuple(filter(None, (one(group, chance) for group in recipe.straps)))
    return made | {"straps": straps} if straps else made


def near(reach: Reach, chance: Chance, habit: Chance) -> dict[str, float]:
    """A number for every parameter, about its middle, leaning to where the maker always leans."""
    own, usual = chance.uniform(-1, 1, len(reach)), habit.uniform(-1, 1, len(reach))
    lean = HABIT * usual + (1 - HABIT) * own
    return {name: middle + away * float(at) for (name, (middle, away)), at in zip(reach.items(), lean, strict=True)}


def picked(picks: Picks, stands_for: dict[str, str], chance: Chance) -> dict[str, Any]:
    """One of each parameter's choices, the words in `stands_for` replaced."""
    chosen = {name: one(choices, chance) for name, choices in picks.items()}
    return {name: stands_for.get(value, value) if isinstance(value, str) else value for name, value in chosen.items()}


def one(choices: tuple[Any, ...], chance: Chance) -> Any:
    """One of several, each as likely."""
    return choices[int(chance.integers(len(choices)))]


def price(amount: float, currency: str) -> str:
    """A price as a shop writes it: "$124.95", "£1,250.00", "1.250,00 €"."""
    asked = f"{max(round(amount / 5) * 5, 10) - (0.05 if amount < 200 else 0):,.2f}"
    if currency == "EUR":
        return asked.replace(",", " ").replace(".", ",").replace(" ", ".") + " €"
    return {"USD": "$", "GBP": "£"}[currency] + asked
