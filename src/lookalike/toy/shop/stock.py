"""The shelf of the toy shop: what is on it on a given day, and what it costs.

In: how much, which seed, which day. Out: a Stock. Never: draws a picture, reads a clock or remembers: the shelf of day 3 is
the same whenever and however often it is asked for.

On day 0 it holds the first products of the drawn catalog, in its order and with its facts. What the catalog does not tell
(reviews, pieces on hand, what is on sale) follows from the seed.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import count, islice

import numpy as np

from lookalike.settings import ConfigError
from lookalike.toy import catalog
from lookalike.toy.catalog import Shot
from lookalike.toy.style import Style, style

COLORWAYS = 3  # at most, as where the catalog is imported without a word
LEAST = Decimal("9.95")  # the cheapest thing on any day
ON_SALE = 0.2  # share of the shelf
SOLD_OUT = 0.06
MOST_REVIEWS = 900
MOST_PIECES = 40


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One photograph of an item."""

    view: str  # as drawn: outside, inside, pair, front ...
    id: str  # what a delivery network would call it: letters, digits, now and then a "+"; the same on every day
    shot: Shot  # what is drawn


@dataclass(frozen=True, kw_only=True)
class Item:
    """One colorway, as it is on the shelf today."""

    number: int  # its place in the drawn catalog, from 0; the same on every day
    style_number: int
    colorway: int  # within its style, from 0
    product: str  # "toy-00012-1"
    style: str  # "toy-00012"
    brand: str
    category: str
    color: str
    name: str
    price: Decimal  # what it costs today
    currency: str
    list_price: Decimal | None  # what it cost before, where it is on sale
    rating: str  # "4.5"; "" where nobody has rated it
    reviews: int  # 0 where nobody has rated it
    stock: int  # pieces on hand; 0 is sold out, and still shown
    slug: str  # "vesper-ankle-boot-black"
    photos: tuple[Photo, ...]


@dataclass(frozen=True, kw_only=True)
class Stock:
    """The shelf on one day, in the order of the listing."""

    items: tuple[Item, ...]
    day: int
    seed: int
    size: int  # pixels of a picture's side
    per_page: int  # items on a page of the listing

    @cached_property
    def by_product(self) -> dict[str, Item]:
        """Items by product id ("toy-00012-1")."""
        return {item.product: item for item in self.items}

    @cached_property
    def by_number(self) -> dict[int, Item]:
        """Items by their place in the drawn catalog."""
        return {item.number: item for item in self.items}

    @cached_property
    def by_style(self) -> dict[int, tuple[Item, ...]]:
        """The items of each style number, by colorway; only those on the shelf."""
        ordered = sorted(self.items, key=lambda item: item.number)
        found: dict[int, tuple[Item, ...]] = {}
        for item in ordered:
            found[item.style_number] = (*found.get(item.style_number, ()), item)
        return found

    @cached_property
    def by_photo(self) -> dict[str, tuple[Item, Photo]]:
        """Photographs by id, each with its item."""
        return {photo.id: (item, photo) for item in self.items for photo in item.photos}


def stock(
    *,
    products: int,
    views: int,
    size: int,
    per_page: int,
    seed: int,
    day: int = 0,
    added: int = 25,
    gone: int = 10,
    repriced: int = 40,
) -> Stock:
    """The shelf on that day.

    Each day takes `gone` items off the shelf of the day before, gives `repriced` of those left another price, and puts
    `added` new ones, from further down the drawn catalog, at the front of the listing; nothing else changes.
    """
    drawn = _drawn(views=views, size=size, seed=seed)
    items = list(islice(drawn, products))
    for today in range(1, day + 1):
        chance = np.random.default_rng([seed, 22, today])
        items = _repriced(_less(items, gone, chance), repriced, chance)
        items = [*islice(drawn, added), *items]
    return Stock(items=tuple(items), day=day, seed=seed, size=size, per_page=per_page)


def _less(items: list[Item], gone: int, chance: np.random.Generator) -> list[Item]:
    out = set(chance.permutation(len(items))[:gone].tolist())
    return [item for place, item in enumerate(items) if place not in out]


def _repriced(items: list[Item], repriced: int, chance: np.random.Generator) -> list[Item]:
    chosen = set(chance.permutation(len(items))[:repriced].tolist())
    return [_dearer_or_cheaper(item, chance) if place in chosen else item for place, item in enumerate(items)]


def _dearer_or_cheaper(item: Item, chance: np.random.Generator) -> Item:
    """The item at another price. A cheaper one is on sale, from the highest price that it shows."""
    price = _rounded(item.price * Decimal(f"{chance.uniform(0.6, 0.9):.3f}"))
    if chance.random() < 0.5 or price >= item.price:  # the cheapest things can only rise
        return replace(item, price=item.price + 5 * int(chance.integers(1, 6)), list_price=None)
    return replace(item, price=price, list_price=item.list_price or item.price)


def _rounded(amount: Decimal) -> Decimal:
    """A price that a shop would ask: 5 cents below a multiple of 5."""
    return max((amount / 5).quantize(Decimal(1), ROUND_HALF_UP) * 5 - Decimal("0.05"), LEAST)


def _drawn(*, views: int, size: int, seed: int) -> Iterator[Item]:
    """The items of the drawn catalog, one after the other."""
    numbers = count()
    for number in range(catalog.BOUNDS["styles"][1]):
        for which in range(catalog.sold_in(number, COLORWAYS, seed)):
            yield _item(next(numbers), number, which, views, size, seed)
    raise ConfigError(
        f"the drawn catalog ends after {next(numbers)} products; ask for fewer of them (products=), or for an earlier day"
    )


@lru_cache(maxsize=20_000)
def _item(number: int, style_number: int, which: int, views: int, size: int, seed: int) -> Item:
    """The item as it is when it comes to the shelf. Kept, as the shelves of several days share most of theirs."""
    made = _style(style_number, seed)
    told = catalog.facts(made, which, seed)
    price = Decimal(re.sub(r"\D", "", told["price"])).scaleb(
        -2
    )  # the house writes two digits of cents, whatever the currency
    chance = np.random.default_rng([seed, 21, number])
    before, reviews, pieces = _before(price, chance), _reviews(chance), _pieces(chance)
    return Item(
        number=number,
        style_number=style_number,
        colorway=which,
        product=told["product"],
        style=told["style"],
        brand=told["brand"],
        category=told["category"],
        color=told["color"],
        name=told["name"],
        price=price,
        currency=told["currency"],
        list_price=before,
        rating=told["rating"],
        reviews=reviews if told["rating"] else 0,
        stock=pieces,
        slug=catalog.slug(told["name"], told["color"]),
        photos=tuple(
            Photo(view=shot.view, id=_id(shot), shot=shot)
            for shot in catalog.shots(made, which=which, views=views, size=size, seed=seed)
        ),
    )


@lru_cache(maxsize=8)
def _style(number: int, seed: int) -> Style:
    return style(number, seed)


def _before(price: Decimal, chance: np.random.Generator) -> Decimal | None:
    """What it cost before, for the few that are on sale."""
    dearer = _rounded(price * Decimal(f"{chance.uniform(1.2, 1.9):.3f}"))
    return dearer if chance.random() < ON_SALE and dearer > price else None


def _reviews(chance: np.random.Generator) -> int:
    """How many have rated it: few as a rule, many now and then."""
    return 1 + int(MOST_REVIEWS * chance.random() ** 4)


def _pieces(chance: np.random.Generator) -> int:
    pieces = int(chance.integers(1, MOST_PIECES + 1))
    return 0 if chance.random() < SOLD_OUT else pieces


def _id(shot: Shot) -> str:
    """A name for a picture, such as "31Qz+7bKx2L": the same for the same shot, another for any other."""
    digest = sha256(repr(shot).encode()).digest()
    return f"{3 + digest[0] % 6}1{b64encode(digest[1:10]).decode()[:9].replace('/', 'Z')}"
