"""What Zappos calls things: ids, addresses, codes of views.

In: an item. Out: names. Never: writes a page.
"""

from typing import Final

from lookalike.toy.shop.stock import Item

LISTING: Final = "/women-boots/CK_XARCz1wHAAQHiAgMBAhg.zso"
PRODUCTS_FROM: Final = 7_000_000
STYLES_FROM: Final = 5_000_000  # a "style" of Zappos is one colorway
COLORS_FROM: Final = 100

# Drawn view -> code. No shoe and no bag has two views of one code; TSD is one that only Zappos knows.
CODES: Final = {
    "outside": "LEFT",
    "three-quarter": "MAIN",
    "inside": "RGHT",
    "pair": "PAIR",
    "top": "TOPP",
    "front": "FRNT",
    "back": "BACK",
    "side": "LEFT",
    "detail": "TSD",
}


def ids(item: Item) -> tuple[str, str]:
    """The product, which is the same for all colorways of a style, and the color."""
    return str(PRODUCTS_FROM + item.style_number), str(COLORS_FROM + item.colorway)


def product_path(item: Item) -> str:
    """The item's own page."""
    product, color = ids(item)
    return f"/p/{item.slug}/product/{product}/color/{color}"


def picture(photo_id: str, site: str, modifier: str = "") -> str:
    """A picture's address; the original is the one without a modifier such as "AC_SX255"."""
    return f"{site}/images/I/{photo_id}" + (f"._{modifier}_.jpg" if modifier else ".jpg")


def product_type(item: Item) -> str:
    """The kind of goods, above the category."""
    return "Accessories" if item.category == "Bags" else "Shoes"


def sizes(item: Item) -> tuple[str, ...]:
    """The sizes that it is made in."""
    return ("One Size",) if item.category == "Bags" else ("6", "6.5", "7", "7.5", "8", "8.5", "9", "10")
