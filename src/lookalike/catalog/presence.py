"""Who is in the catalog: what all products are counted by, since when one is there, and single ones by their keys.

In: an open store. Out: a table with a row a product, `Presence`, Products. Never: writes, or reads the views of products
that nobody asked for: a hundred thousand rows take a second or two this way, and a minute with their views.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from lookalike.catalog.database import transaction
from lookalike.catalog.product import Product
from lookalike.catalog.store import CHUNK, Key, Store, among, read_products
from lookalike.catalog.tables import PRODUCTS, VIEWS

LABELS = ("shop", "product", "style", "brand", "category", "color", "name", "currency")
SHELF: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(LABELS, pl.String),
    "price": pl.Float64,  # to be drawn and compared; to the digit it is in the Product
    "gone": pl.Boolean,
    "last_seen": pl.Datetime("us", "UTC"),
    "views": pl.Int64,
}


@dataclass(frozen=True, kw_only=True)
class Presence:
    """Since when a product is in the catalog, and when it was last seen in its shop."""

    first_seen: datetime
    last_seen: datetime
    gone: bool


def presence(store: Store, shop: str, product: str) -> Presence:
    """Since when a product is there. Raises KeyError for one that is not in the catalog."""
    same = (PRODUCTS.c.shop == shop) & (PRODUCTS.c.product == product)
    asked = sa.select(PRODUCTS.c.first_seen, PRODUCTS.c.last_seen, PRODUCTS.c.gone).where(same)
    with transaction(store.engine) as connection:
        found = connection.execute(asked).mappings().one_or_none()
    if found is None:
        raise KeyError(f"no product {shop}:{product} in {store.name}")
    return Presence(**found)


def shelf(store: Store, *, shop: str = "") -> pl.DataFrame:
    """A row a product, by shop and id: what it is counted by, its price, how many views it has, whether it is gone."""
    with transaction(store.engine) as connection:
        rows = connection.execute(_shelf(shop)).all()
    return pl.DataFrame([tuple(row) for row in rows], schema=SHELF, orient="row").sort("shop", "product")


def _shelf(shop: str) -> sa.Select[Any]:
    pictured = (
        sa.select(VIEWS.c.shop, VIEWS.c.product, sa.func.count().label("views"))
        .group_by(VIEWS.c.shop, VIEWS.c.product)
        .subquery()
    )
    same = (PRODUCTS.c.shop == pictured.c.shop) & (PRODUCTS.c.product == pictured.c.product)
    return (
        sa.select(
            *(PRODUCTS.c[name] for name in LABELS),
            sa.cast(PRODUCTS.c.price, sa.Double),
            *(PRODUCTS.c.gone, PRODUCTS.c.last_seen, sa.func.coalesce(pictured.c.views, 0)),
        )
        .select_from(sa.outerjoin(PRODUCTS, pictured, same))
        .where(*([PRODUCTS.c.shop == shop] if shop else []))
    )


def products_of(store: Store, keys: Iterable[Key]) -> list[Product]:
    """The products of these keys (shop, id) with their views, in the order of the keys; one that is not there is left out."""
    asked = list(keys)
    found: dict[Key, Product] = {}
    with transaction(store.engine) as connection:
        for start in range(0, len(asked), CHUNK):
            found |= read_products(connection, among(asked[start : start + CHUNK]))
    return [found[key] for key in asked if key in found]
