"""The catalog in SQL: what is known of every product, since when, at what price, in stock or not, and the rows turned away.

In: products, views and rows set aside. Out: the same, in an order that does not depend on how they came, and counts.
Never: holds a picture's bytes (they are files named by sha256), decodes, or fetches.

Every call is one transaction, whole or not there. The tables are in `tables`, what SQLite and PostgreSQL do otherwise
in `database`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby, islice
from types import TracebackType
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from lookalike.catalog.crawl import PriceChange
from lookalike.catalog.database import open_engine, put, shown, transaction
from lookalike.catalog.product import Product, SetAside, View
from lookalike.catalog.tables import HISTORY, IMPORTS, PRODUCTS, QUARANTINE, SCHEMA, TABLES, VERSION, VIEWS, Exact, utc
from lookalike.settings import DataError, LookalikeError

CHUNK = 500  # products looked up and written together
VIEW_FACTS = [field.name for field in fields(View)]
FACTS = [field.name for field in fields(Product) if field.name != "views"]
OFFER = ("price", "currency", "stock")
Key = tuple[str, str]  # shop, product


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What an upsert did. A product that only gained a view is `same`; the view is in `views_new`."""

    new: int = 0
    changed: int = 0
    same: int = 0
    views_new: int = 0

    def __add__(self, more: "Counts") -> "Counts":
        return Counts(**{one.name: getattr(self, one.name) + getattr(more, one.name) for one in fields(Counts)})


@dataclass(frozen=True, kw_only=True)
class Contents:
    """How many rows a catalog holds; the products that are gone are among `products`."""

    products: int
    gone: int
    views: int
    set_aside: int
    imports: int


@dataclass(frozen=True, kw_only=True)
class PriceSeen:
    """The price that a product had from this moment on."""

    seen: datetime
    price: Decimal
    currency: str


@dataclass(frozen=True, kw_only=True)
class StockSeen:
    """How many pieces of a product there were from this moment on."""

    seen: datetime
    stock: int


class Learnt(NamedTuple):
    """A product before and after something was told of it."""

    before: Product | None
    after: Product
    was_gone: bool
    at: datetime  # when it was last seen


@dataclass(frozen=True, kw_only=True)
class ImportRecord:
    """One crawl or import. One that was killed stays "running", without an end."""

    id: int
    kind: str  # crawl, or the adapter's name
    source: str
    started: datetime
    ended: datetime | None
    status: str  # running | done | failed
    counts: dict[str, int]


class Store:
    """An open catalog. Make one with `open_store`; close it, or use it in a `with`."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine  # for what else is asked of the database beside this: `presence`, the book of crawls
        self.name = shown(engine.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database's connections."""
        self.engine.dispose()

    def upsert(self, told: Iterable[Product], *, seen: datetime) -> Counts:
        """Take in products: new ones are added, known ones learn what is told; what is told empty erases nothing.

        What was seen later is believed, in whichever order it is told.

        One transaction, open while `told` is walked: an error half way, even in `told` itself, leaves all as it was.
        Hand in products that are ready, so that other writers do not wait for a picture to be decoded.
        """
        total = Counts()
        with transaction(self.engine, writes=True) as connection:
            for some in _chunks(told, CHUNK):
                total = sum(map(_difference, learn(connection, some, seen=utc(seen))), total)
        return total

    def mark_gone(self, shop: str, *, before: datetime) -> int:
        """Mark as gone what a shop has not shown since `before`; an upsert brings it back. Answers how many."""
        unseen = (PRODUCTS.c.shop == shop) & (PRODUCTS.c.last_seen < utc(before)) & ~PRODUCTS.c.gone
        with transaction(self.engine, writes=True) as connection:
            return connection.execute(sa.update(PRODUCTS).where(unseen).values(gone=True)).rowcount

    def products(
        self, category: str = "", shop: str = "", brand: str = "", *, with_gone: bool = True, pictured: bool = False
    ) -> list[Product]:
        """Products with their views: products by shop and name, views by their name, then sha256.

        "" asks for all; a capital more or less does not matter, as nobody types "Boots" twice alike. `pictured`: only
        those with a view, as a crawl publishes also what it has no picture of.
        """
        asked = {"category": category, "shop": shop, "brand": brand}
        wanted = [sa.func.lower(PRODUCTS.c[name]) == value.lower() for name, value in asked.items() if value]
        with transaction(self.engine) as connection:
            known = read_products(connection, *wanted, *([] if with_gone else [~PRODUCTS.c.gone]))
        return [known[key] for key in sorted(known) if known[key].views or not pictured]

    def prices(self, shop: str, product: str) -> list[PriceSeen]:
        """Every price that a product has had, oldest first."""
        told = (row for row in self._history(shop, product) if row.price is not None)
        runs = groupby(told, key=lambda row: (row.price, row.currency))
        firsts = [next(rows) for _, rows in runs]
        return [PriceSeen(seen=row.seen, price=row.price, currency=row.currency) for row in firsts]

    def stocks(self, shop: str, product: str) -> list[StockSeen]:
        """Every count of pieces that a product has had, oldest first."""
        told = (row for row in self._history(shop, product) if row.stock is not None)
        firsts = [next(rows) for _, rows in groupby(told, key=lambda row: row.stock)]
        return [StockSeen(seen=row.seen, stock=row.stock) for row in firsts]

    def price_changes(self, *, shop: str = "", limit: int = 100) -> list[PriceChange]:
        """The last prices that are not what they had been, newest first. From one currency to another is no change."""
        with transaction(self.engine) as connection:
            changes = (PriceChange(**row) for row in connection.execute(_repriced(shop)).mappings())
            return list(islice((one for one in changes if one.before != one.after), limit))

    def set_aside(self, rows: Iterable[SetAside], *, seen: datetime) -> int:
        """Keep the rows that were not taken in; telling one again only moves its moment. Answers how many are new."""
        told = {_digest(row): {"id": _digest(row), **vars(row), "seen": utc(seen)} for row in rows}
        with transaction(self.engine, writes=True) as connection:
            before = _how_many(connection, QUARANTINE)
            put(connection, QUARANTINE, list(told.values()))
            return _how_many(connection, QUARANTINE) - before

    def quarantined(self) -> list[SetAside]:
        """Every row that was set aside, by where it was."""
        asked = sa.select(*(QUARANTINE.c[field.name] for field in fields(SetAside)))
        rows = [SetAside(**row) for row in self._rows(asked)]
        return sorted(rows, key=lambda row: (row.where, row.picture, row.product, row.reason, row.text))

    def begin_import(self, kind: str, source: str, *, started: datetime) -> int:
        """Note that a crawl or an import has begun, and answer its number."""
        row = {"kind": kind, "source": source, "status": "running", "started": utc(started), "counts": {}}
        with transaction(self.engine, writes=True) as connection:
            number: int = connection.execute(sa.insert(IMPORTS).returning(IMPORTS.c.id), row).scalar_one()
        return number

    def end_import(self, number: int, *, ended: datetime, status: str, counts: dict[str, int]) -> None:
        """Note how the import of this number ended: status done or failed, and what it counted."""
        facts = {"ended": utc(ended), "status": status, "counts": counts}
        with transaction(self.engine, writes=True) as connection:
            if not connection.execute(sa.update(IMPORTS).where(IMPORTS.c.id == number).values(facts)).rowcount:
                raise KeyError(f"no import {number} in {self.name}")

    def imports(self) -> list[ImportRecord]:
        """Every crawl and import, oldest first."""
        return [ImportRecord(**row) for row in self._rows(sa.select(IMPORTS).order_by(IMPORTS.c.id))]

    def counts(self) -> Contents:
        """How much is in the catalog."""
        with transaction(self.engine) as connection:
            return Contents(
                products=_how_many(connection, PRODUCTS),
                gone=_how_many(connection, PRODUCTS, PRODUCTS.c.gone),
                views=_how_many(connection, VIEWS),
                set_aside=_how_many(connection, QUARANTINE),
                imports=_how_many(connection, IMPORTS),
            )

    def prepare(self) -> Self:
        """Make the tables in an empty database; refuse one that is not a catalog of this schema."""
        with transaction(self.engine, writes=True) as connection:
            present = sa.inspect(connection).get_table_names()
            if not present:
                TABLES.create_all(connection)
                connection.execute(sa.insert(VERSION), {"version": SCHEMA})
            elif VERSION.name not in present:
                raise DataError(
                    f"{self.name}: a database, but not a catalog: it holds {', '.join(sorted(present)[:5])}. "
                    "Name an empty database or a file that does not exist yet."
                )
            elif (found := connection.execute(sa.select(VERSION.c.version)).scalar()) != SCHEMA:
                raise DataError(
                    f"{self.name}: a catalog of schema {found}, and this lookalike reads schema {SCHEMA}. "
                    "Use the lookalike that wrote it, or import into a new database."
                )
        return self

    def _history(self, shop: str, product: str) -> list[sa.Row[Any]]:
        same = (HISTORY.c.shop == shop) & (HISTORY.c.product == product)
        with transaction(self.engine) as connection:
            return list(connection.execute(sa.select(HISTORY).where(same).order_by(HISTORY.c.seen)))

    def _rows(self, asked: sa.Select[Any]) -> list[sa.RowMapping]:
        with transaction(self.engine) as connection:
            return list(connection.execute(asked).mappings())


def open_store(url: str) -> Store:
    """Open the catalog at `sqlite:///data/catalog.db` or `postgresql+psycopg://user@host/name`; make it if need be."""
    store = Store(open_engine(url))
    try:
        return store.prepare()
    except LookalikeError:
        store.close()
        raise


def merged(known: Product, told: Product) -> Product:
    """What is known once `told` is heard. What is told wins, what is told empty changes nothing.

    A currency without a price is not heard where a price is known: it would turn 20 dollars into 20 euros.
    """
    facts = {name: getattr(told, name) for name in FACTS if getattr(told, name) not in ("", None)}
    if told.price is None and known.price is not None:
        facts.pop("currency", None)
    facts["attributes"] = known.attributes | {name: value for name, value in told.attributes.items() if value != ""}
    pictures = {view.sha256: view for view in known.views}
    for view in told.views:
        pictures[view.sha256] = _merged_view(pictures.get(view.sha256, view), view)
    return replace(known, **facts, views=_in_order(pictures.values()))


def _merged_view(known: View, told: View) -> View:
    return replace(known, **{name: value for name in VIEW_FACTS if (value := getattr(told, name)) != ""})


def _in_order(pictures: Iterable[View]) -> tuple[View, ...]:
    return tuple(sorted(pictures, key=lambda view: (view.view, view.sha256)))


def learn(connection: sa.Connection, some: list[Product], *, seen: datetime, met_by: int | None = None) -> list[Learnt]:
    """Merge a chunk of products into what is known of them, and write what came of it. `met_by`: the crawl that tells."""
    these = among([_named(told) for told in some])
    known = read_products(connection, these, lock=True)
    standing = _standing(connection, these)
    learnt: list[Learnt] = []
    for told in some:
        key = _named(told)
        last, was_gone = standing.get(key, (seen, False))
        before = known.get(key)
        known[key] = _heard(before, told, later=last <= seen)
        standing[key] = (max(last, seen), False)
        learnt.append(Learnt(before, known[key], was_gone, max(last, seen)))
    _write(connection, some, learnt, seen, met_by)
    return learnt


def _heard(before: Product | None, told: Product, *, later: bool) -> Product:
    """What is known now. What was seen before it was last heard of only fills the gaps."""
    known = before or Product(shop=told.shop, product=told.product)
    return merged(_outlived(known, told), told) if later else merged(told, known)


def _outlived(known: Product, told: Product) -> Product:
    """What is known without what `told` ends by its silence: a list price goes with the sale, a riddle with its answer."""
    ended = {f"{name}_as_given" for name in FACTS if getattr(told, name) not in ("", None)}
    ended |= {"list_price"} if told.price is not None else set()
    return replace(known, attributes={name: value for name, value in known.attributes.items() if name not in ended})


def _write(
    connection: sa.Connection, some: list[Product], learnt: list[Learnt], seen: datetime, met_by: int | None
) -> None:
    products: dict[Key, dict[str, Any]] = {}
    pictures: dict[tuple[str, str, str], dict[str, Any]] = {}
    offers: dict[Key, dict[str, Any]] = {}
    for told, (before, after, _, at) in zip(some, learnt, strict=True):
        key = _named(after)
        products[key] = {**_product_row(after, seen), "met_by": met_by}
        mentioned = {view.sha256 for view in told.views}
        pictures |= {(*key, v.sha256): _view_row(after, v, seen) for v in after.views if v.sha256 in mentioned}
        if offer(after) != offer(before):
            offers[key] = {**_identity(after), "seen": at, **{name: getattr(after, name) for name in OFFER}}
    put(connection, PRODUCTS, list(products.values()))
    put(connection, VIEWS, list(pictures.values()))
    put(connection, HISTORY, list(offers.values()))


def offer(product: Product | None) -> tuple[Decimal | None, str, int | None]:
    """What the history is kept of; a currency without a price is nothing."""
    if product is None:
        return None, "", None
    return product.price, product.currency if product.price is not None else "", product.stock


def _standing(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> dict[Key, tuple[datetime, bool]]:
    """When products were last seen, and whether they are gone."""
    columns = (PRODUCTS.c.shop, PRODUCTS.c.product, PRODUCTS.c.last_seen, PRODUCTS.c.gone)
    found = connection.execute(sa.select(*columns).where(wanted))
    return {(shop, product): (last_seen, gone) for shop, product, last_seen, gone in found}


def _difference(learnt: Learnt) -> Counts:
    before, after = learnt.before, learnt.after
    if before is None:
        return Counts(new=1, views_new=len(after.views))
    same = all(getattr(before, name) == getattr(after, name) for name in FACTS)
    return Counts(changed=int(not same), same=int(same), views_new=len(after.views) - len(before.views))


def _repriced(shop: str) -> sa.Select[Any]:
    """Each price of the history beside the one before it in the same currency, newest first. Some are equal."""
    of_each = (HISTORY.c.shop, HISTORY.c.product)
    price_before = sa.func.lag(HISTORY.c.price, type_=Exact()).over(partition_by=of_each, order_by=HISTORY.c.seen)
    currency_before = sa.func.lag(HISTORY.c.currency).over(partition_by=of_each, order_by=HISTORY.c.seen)
    known = sa.select(
        *(HISTORY.c[name] for name in ("shop", "product", "seen", "currency")),
        HISTORY.c.price.label("after"),
        price_before.label("before"),
        currency_before.label("currency_before"),
    ).where(HISTORY.c.price.is_not(None), *([HISTORY.c.shop == shop] if shop else []))
    told = known.subquery()
    same = (told.c.shop == PRODUCTS.c.shop) & (told.c.product == PRODUCTS.c.product)
    columns = (told.c[name] for name in ("shop", "product", "seen", "before", "after", "currency"))
    return (
        sa.select(*columns, PRODUCTS.c.name)
        .join_from(told, PRODUCTS, same)
        .where(told.c.before != told.c.after, told.c.currency == told.c.currency_before)
        .order_by(told.c.seen.desc(), told.c.shop, told.c.product)
    )


def read_products(connection: sa.Connection, *wanted: sa.ColumnElement[bool], lock: bool = False) -> dict[Key, Product]:
    """The products that are wanted, with their views; `lock` keeps other writers off them, where rows have locks."""
    asked = sa.select(*(PRODUCTS.c[name] for name in FACTS)).where(*wanted)
    rows = connection.execute(asked.with_for_update() if lock else asked).mappings().all()
    pictures = _read_views(connection, *wanted)
    keys = [(row["shop"], row["product"]) for row in rows]
    return {key: Product(**row, views=pictures.get(key, ())) for key, row in zip(keys, rows, strict=True)}


def _read_views(connection: sa.Connection, *wanted: sa.ColumnElement[bool]) -> dict[Key, tuple[View, ...]]:
    columns = [PRODUCTS.c.shop, PRODUCTS.c.product, *(VIEWS.c[name] for name in VIEW_FACTS)]
    found: dict[Key, list[View]] = {}
    for shop, product, *facts in connection.execute(sa.select(*columns).join_from(PRODUCTS, VIEWS).where(*wanted)):
        view = View(**dict(zip(VIEW_FACTS, facts, strict=True)))
        found.setdefault((shop, product), []).append(view)
    return {key: _in_order(pictures) for key, pictures in found.items()}


def among(keys: list[Key]) -> sa.ColumnElement[bool]:
    """Whether a product is one of these."""
    return sa.tuple_(PRODUCTS.c.shop, PRODUCTS.c.product).in_(keys)


def _product_row(product: Product, seen: datetime) -> dict[str, Any]:
    facts = {name: getattr(product, name) for name in FACTS}
    return {**facts, "first_seen": seen, "last_seen": seen, "gone": False}


def _view_row(product: Product, view: View, seen: datetime) -> dict[str, Any]:
    return {**_identity(product), **vars(view), "first_seen": seen, "last_seen": seen}


def _named(product: Product) -> Key:
    return product.shop, product.product


def _identity(product: Product) -> dict[str, str]:
    return {"shop": product.shop, "product": product.product}


def _how_many(connection: sa.Connection, table: sa.Table, *wanted: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(*wanted)).scalar_one()


def _digest(row: SetAside) -> str:
    return hashlib.sha256(json.dumps(vars(row), sort_keys=True).encode()).hexdigest()


def _chunks(told: Iterable[Product], size: int) -> Iterator[list[Product]]:
    walk = iter(told)
    while some := list(islice(walk, size)):
        yield some
