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

from lookalike.catalog.crawl import GONE, Crawl, Published, Step
from lookalike.catalog.product import Product, View
from lookalike.catalog.store import CHUNK, FACTS, OFFER, Learnt, learn, merged, offer
from lookalike.catalog.tables import CRAWLS, ITEMS, ODD, PICTURES, PRODUCTS, STEPS

BYTES = [column.name for column in PICTURES.columns]  # what is known of a picture by its bytes alone
SAID = [field.name for field in fields(View) if field.name == "sha256" or field.name not in BYTES]
STAGED = [name for name in FACTS if name not in {"shop", "product"}]

Some = TypeVar("Some")


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A product as all of a crawl tells it."""

    product: Product
    steps: int  # how many told of it


def packed(product: Product) -> dict[str, Any]:
    """A product's facts as plain data."""
    facts = {name: getattr(product, name) for name in STAGED}
    return facts | {"price": None if product.price is None else str(product.price)}


def found(connection: sa.Connection, crawl: Crawl) -> list[Whole]:
    """All products of a crawl by id, each of its parts merged; without those that only pages tell which are no more."""
    there = _there(connection, crawl)
    pictures = _pictures(connection, {view["sha256"] for told in there.values() for row in told for view in row.views})
    return [_whole(crawl.shop, id_, told, pictures) for id_, told in there.items()]


def _there(connection: sa.Connection, crawl: Crawl) -> dict[str, list[sa.Row[Any]]]:
    """The parts of each product in the walk's order, by its id."""
    steps = connection.execute(sa.select(STEPS).where(STEPS.c.crawl == crawl.number)).all()
    place = walk(steps)
    no_more = {step.key for step in steps if step.status == "failed" and step.reason == GONE}
    rows = connection.execute(sa.select(ITEMS).where(ITEMS.c.crawl == crawl.number)).all()
    parts: dict[str, list[sa.Row[Any]]] = {}
    for row in sorted(rows, key=lambda row: (place[row.position], row.place)):
        parts.setdefault(row.product, []).append(row)
    return {id_: told for id_, told in sorted(parts.items()) if any(row.page_key not in no_more for row in told)}


def walk(steps: Iterable[sa.Row[Any]]) -> dict[int, int]:
    """The place of each step in the walk, by its position. Breadth first, as pages tell of each other."""
    told = {step.position: step.found for step in steps}
    queue = dict.fromkeys(sorted(step.position for step in steps if step.first))
    level = list(queue)
    while level:
        level = [one for one in dict.fromkeys(one for at in level for one in told[at]) if one not in queue]
        queue |= dict.fromkeys(level)
    return {position: place for place, position in enumerate(queue)}


def _whole(shop: str, id_: str, rows: Sequence[sa.Row[Any]], pictures: Mapping[str, dict[str, Any]]) -> Whole:
    parts = (_unpacked(row, pictures) for row in rows)
    product = reduce(merged, parts, Product(shop=shop, product=id_))
    return Whole(product=product, steps=len({row.position for row in rows}))


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
    lost = _lost(connection, crawl)
    missing = set(_missing(connection, crawl))
    if missing and (listings := _listings(lost)):
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


def to_ask(connection: sa.Connection, crawl: Crawl) -> list[Step]:
    """The pages, by their keys, that may yet tell of what would be marked as gone; see `Crawls.missing`."""
    lost, there = _lost(connection, crawl), _there(connection, crawl)
    missing = {product: met_by for product, met_by in _missing(connection, crawl).items() if product not in there}
    spared = _told_by(connection, crawl, {step.key for step in lost}) if missing else set()
    going = {product: met_by for product, met_by in missing.items() if product not in spared}
    if _listings(lost) or 2 * len(going) > len(there):
        return []
    known = set(connection.execute(sa.select(STEPS.c.key).where(STEPS.c.crawl == crawl.number)).scalars())
    return [step for key, step in sorted(_told_at(connection, going).items()) if key not in known]


def _told_at(connection: sa.Connection, products: Mapping[str, int]) -> dict[str, Step]:
    """The pages of products that told of each, or were to, in the crawl that is named with it."""
    pages: dict[str, Step] = {}
    for number in sorted(set(products.values())):  # of two crawls that know a page the later one tells its address
        asked = sa.select(ITEMS.c.product, ITEMS.c.page_key, ITEMS.c.position).where(ITEMS.c.crawl == number)
        items = [item for item in connection.execute(asked) if products.get(item.product) == number]
        keys, positions = {item.page_key for item in items}, {item.position for item in items}
        steps = connection.execute(sa.select(STEPS).where(STEPS.c.crawl == number, STEPS.c.kind == "product"))
        these = [step for step in steps if step.key in keys or step.position in positions]
        pages |= {step.key: Step(kind="product", key=step.key, url=step.url) for step in these}
    return pages


def _lost(connection: sa.Connection, crawl: Crawl) -> Sequence[sa.Row[Any]]:
    """The steps of a crawl whose pages may tell of anything, as they could not be read."""
    failed = (STEPS.c.crawl == crawl.number) & (STEPS.c.status == "failed") & (STEPS.c.reason != GONE)
    return connection.execute(sa.select(STEPS).where(failed)).all()


def _listings(steps: Iterable[sa.Row[Any]]) -> int:
    return sum(step.kind == "listing" for step in steps)


def _missing(connection: sa.Connection, crawl: Crawl) -> dict[str, int]:
    """Products whom a crawl of the same shop and scope met last of all, each with its number, and this one did not."""
    alike = sa.select(CRAWLS.c.id).where(CRAWLS.c.shop == crawl.shop, CRAWLS.c.scope == crawl.scope)
    others = PRODUCTS.c.met_by.in_(alike) & (PRODUCTS.c.met_by != crawl.number)
    columns = (PRODUCTS.c.product, PRODUCTS.c.met_by)
    asked = sa.select(*columns).where(PRODUCTS.c.shop == crawl.shop, ~PRODUCTS.c.gone, others)
    return {row.product: row.met_by for row in connection.execute(asked)}


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
