"""From what a crawl staged to the catalog: the parts of each product made one, and what changed told.

In: an open transaction and a crawl. Out: what it found, product by product; `Published`. Never: opens or ends a
transaction, so that all of it is there or none of it.

Parts are merged by where their pages stand in the walk: the pages a crawl begins with, then those that they tell of in
the order they tell them, and so on. When a page came makes no difference, and so a kill makes none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import reduce
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from lookalike.catalog.crawl import Crawl, Published
from lookalike.catalog.product import Product, View
from lookalike.catalog.store import CHUNK, FACTS, OFFER, Learnt, learn, merged, offer
from lookalike.catalog.tables import CRAWLS, ITEMS, ODD, PICTURES, PRODUCTS, STEPS

GONE = "gone"  # the reason of a step whose page, so the shop says, is no more
BYTES = [column.name for column in PICTURES.columns]  # what is known of a picture by its bytes alone
SAID = [field.name for field in fields(View) if field.name == "sha256" or field.name not in BYTES]
STAGED = [name for name in FACTS if name not in {"shop", "product"}]

Some = TypeVar("Some")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A product as all of a crawl tells it."""

    product: Product
    steps: int  # how many told of it


def packed(product: Product) -> dict[str, Any]:
    """A product's facts as plain data."""
    facts = {name: getattr(product, name) for name in STAGED}
    return facts | {"price": None if product.price is None else str(product.price)}


def found(connection: sa.Connection, crawl: Crawl) -> list[Found]:
    """All products of a crawl by id, each of its parts merged; without those that only pages tell which are no more."""
    steps = connection.execute(sa.select(STEPS).where(STEPS.c.crawl == crawl.number)).all()
    place = walk(steps)
    no_more = {step.key for step in steps if step.status == "failed" and step.reason == GONE}
    rows = connection.execute(sa.select(ITEMS).where(ITEMS.c.crawl == crawl.number)).all()
    parts: dict[str, list[sa.Row[Any]]] = {}
    for row in sorted(rows, key=lambda row: (place[row.position], row.place)):
        parts.setdefault(row.product, []).append(row)
    there = {id_: told for id_, told in sorted(parts.items()) if any(row.page_key not in no_more for row in told)}
    pictures = _pictures(connection, {view["sha256"] for told in there.values() for row in told for view in row.views})
    return [_found(crawl.shop, id_, told, pictures) for id_, told in there.items()]


def walk(steps: Iterable[sa.Row[Any]]) -> dict[int, int]:
    """The place of each step in the walk, by its position. Breadth first, as pages tell of each other."""
    told = {step.position: step.found for step in steps}
    queue = dict.fromkeys(sorted(step.position for step in steps if step.first))
    level = list(queue)
    while level:
        level = [one for one in dict.fromkeys(one for at in level for one in told[at]) if one not in queue]
        queue |= dict.fromkeys(level)
    return {position: place for place, position in enumerate(queue)}


def _found(shop: str, id_: str, rows: Sequence[sa.Row[Any]], pictures: Mapping[str, dict[str, Any]]) -> Found:
    parts = (_unpacked(row, pictures) for row in rows)
    product = reduce(merged, parts, Product(shop=shop, product=id_))
    return Found(product=product, steps=len({row.position for row in rows}))


def _unpacked(row: sa.Row[Any], pictures: Mapping[str, dict[str, Any]]) -> Product:
    price = row.told["price"]
    views = tuple(View(**pictures[view["sha256"]], **view) for view in row.views)
    return Product(product=row.product, **{**row.told, "price": price and Decimal(price)}, views=views)


def _pictures(connection: sa.Connection, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is known of pictures' bytes, by their sha256."""
    known: dict[str, dict[str, Any]] = {}
    for some in chunks(sorted(names)):
        rows = connection.execute(sa.select(PICTURES).where(PICTURES.c.sha256.in_(some))).mappings()
        known |= {row["sha256"]: {name: row[name] for name in BYTES if name != "sha256"} for row in rows}
    return known


def publish(connection: sa.Connection, crawl: Crawl) -> tuple[Published, list[str]]:
    """Let the catalog learn what a crawl found, and what is gone; with notes on what could not be told."""
    learnt: list[Learnt] = []
    for some in chunks(found(connection, crawl)):
        told = [one.product for one in some]
        learnt += learn(connection, told, seen=crawl.started, met_by=crawl.number)
    gone, notes = _mark_gone(connection, crawl) if crawl.complete else (0, [])
    return sum_up([*map(_came_of, learnt), Published(gone=gone)]), notes


def sum_up(parts: Iterable[Published]) -> Published:
    """All of them as one."""
    told = [vars(part) for part in parts]
    return Published(**{field.name: sum(part[field.name] for part in told) for field in fields(Published)})


def _came_of(learnt: Learnt) -> Published:
    before, after = learnt.before, learnt.after
    if before is None:
        return Published(new=1, views_new=len(after.views))
    repriced = offer(before)[:2] != offer(after)[:2]
    restocked = before.stock != after.stock
    changed = any(getattr(before, name) != getattr(after, name) for name in FACTS if name not in OFFER)
    return Published(
        changed=int(changed),
        same=int(not (changed or repriced or restocked)),
        repriced=int(repriced),
        restocked=int(restocked),
        back=int(learnt.was_gone),
        views_new=len(after.views) - len(before.views),
    )


def _mark_gone(connection: sa.Connection, crawl: Crawl) -> tuple[int, list[str]]:
    """Mark what a crawl of the same shop and scope met last, and this one did not, unless a failure may be why."""
    steps = connection.execute(sa.select(STEPS).where(STEPS.c.crawl == crawl.number, STEPS.c.status == "failed")).all()
    lost = [step for step in steps if step.reason != GONE]
    missing = _missing(connection, crawl)
    if missing and (listings := sum(step.kind == "listing" for step in lost)):
        return 0, [
            f"products not met: {len(missing)}, none of them marked as gone, as listing pages failed: {listings}"
        ]
    spared = missing & _told_by(connection, crawl, {step.key for step in lost})
    for some in chunks(sorted(missing - spared)):
        these = (PRODUCTS.c.shop == crawl.shop) & PRODUCTS.c.product.in_(some)
        connection.execute(sa.update(PRODUCTS).where(these).values(gone=True))
    notes = (
        [f"products not met, and not marked as gone, as their pages could not be read: {len(spared)}"] if spared else []
    )
    return len(missing) - len(spared), notes


def _missing(connection: sa.Connection, crawl: Crawl) -> set[str]:
    """Products whom a crawl of the same shop and scope met last of all that told of them, and this one did not."""
    alike = sa.select(CRAWLS.c.id).where(CRAWLS.c.shop == crawl.shop, CRAWLS.c.scope == crawl.scope)
    others = PRODUCTS.c.met_by.in_(alike) & (PRODUCTS.c.met_by != crawl.number)
    asked = sa.select(PRODUCTS.c.product).where(PRODUCTS.c.shop == crawl.shop, ~PRODUCTS.c.gone, others)
    return set(connection.execute(asked).scalars())


def _told_by(connection: sa.Connection, crawl: Crawl, keys: set[str]) -> set[str]:
    """Products that may stand on pages of these keys, as earlier crawls met them there, and those that this one misread."""
    asked = sa.select(ODD.c.item).where(ODD.c.crawl == crawl.number)
    misread = set(connection.execute(asked).scalars())
    if not keys:
        return misread
    earlier = sa.select(CRAWLS.c.id).where(CRAWLS.c.shop == crawl.shop, CRAWLS.c.published.is_not(None))
    rows = sa.select(ITEMS.c.product, ITEMS.c.page_key, STEPS.c.key).join_from(ITEMS, STEPS)
    told = connection.execute(rows.where(ITEMS.c.crawl.in_(earlier)).distinct())
    return misread | {row.product for row in told if row.page_key in keys or row.key in keys}


def chunks(these: Iterable[Some], size: int = CHUNK) -> Iterable[list[Some]]:
    """These, so many at a time."""
    walk = iter(these)
    while some := list(islice(walk, size)):
        yield some
