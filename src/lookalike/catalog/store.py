"""The catalog in SQL: what is known of every product, since when, at what price, and which rows were turned away.

In: products, views and rows set aside. Out: the same, in an order that does not depend on how they came, and counts.
Never: holds a picture's bytes (they are files named by sha256), decodes, fetches, or shows the password of a URL.

SQLite by default, PostgreSQL by another URL: the types are portable. Every call is one transaction, whole or not there.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.types import TypeEngine

from lookalike.catalog.product import Product, SetAside, View
from lookalike.settings import DataError, DiskFullError, LookalikeError

SCHEMA = 1  # raise it when a table changes: an older or newer database is refused, never guessed at
CHUNK = 500  # products looked up and written together
WAIT = 30  # seconds to wait for another writer


class Moment(sa.TypeDecorator[datetime]):
    """A moment, always in UTC; SQLite keeps no time zone, so it is put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002, D102
        return value and _utc(value)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002, D102
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


class Exact(sa.TypeDecorator[Decimal]):
    """A decimal, to the digit: PostgreSQL has such a type, SQLite would make it a float, so there it is text."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:  # noqa: D102
        return dialect.type_descriptor(sa.Numeric() if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> Any:  # noqa: D102
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:  # noqa: ARG002, D102
        return None if value is None else Decimal(value)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, default="")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String, primary_key=True)


TABLES = sa.MetaData()

VERSION = sa.Table("lookalike_schema", TABLES, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))

PRODUCTS = sa.Table(
    "products",
    TABLES,
    *(_key("shop"), _key("product")),
    *(_text(name) for name in ("style", "brand", "category", "color", "name")),
    sa.Column("price", Exact),
    _text("currency"),
    sa.Column("rating", sa.Double),
    _text("url"),
    sa.Column("attributes", sa.JSON, nullable=False),
    sa.Column("first_seen", Moment, nullable=False),
    sa.Column("last_seen", Moment, nullable=False),
    sa.Column("gone", sa.Boolean, nullable=False, default=False),  # its shop no longer shows it
)

VIEWS = sa.Table(
    "views",
    TABLES,
    *(_key("shop"), _key("product"), _key("sha256")),
    *(_text(name) for name in ("view", "role", "split", "format")),
    *(sa.Column(name, sa.Integer, nullable=False) for name in ("width", "height", "size")),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    _text("source"),
    sa.Column("first_seen", Moment, nullable=False),
    sa.Column("last_seen", Moment, nullable=False),
    sa.ForeignKeyConstraint(["shop", "product"], ["products.shop", "products.product"], ondelete="CASCADE"),
)

HISTORY = sa.Table(  # a row each time a product's price was not what it had been
    "history",
    TABLES,
    *(_key("shop"), _key("product"), sa.Column("seen", Moment, primary_key=True)),
    sa.Column("price", Exact, nullable=False),
    _text("currency"),
    sa.ForeignKeyConstraint(["shop", "product"], ["products.shop", "products.product"], ondelete="CASCADE"),
)

QUARANTINE = sa.Table(
    "quarantine",
    TABLES,
    _key("id"),  # a digest of all that is told: the text is too long for a unique index on every database
    *(_text(name) for name in ("where", "picture", "product", "reason", "text")),
    sa.Column("seen", Moment, nullable=False),
)

IMPORTS = sa.Table(
    "imports",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    *(_text(name) for name in ("kind", "source", "status")),
    sa.Column("started", Moment, nullable=False),
    sa.Column("ended", Moment),
    sa.Column("counts", sa.JSON, nullable=False),
)

Insert = sqlite.Insert | postgresql.Insert
INSERTS: dict[str, Callable[[sa.Table], Insert]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
VIEW_FACTS = [field.name for field in fields(View)]
FACTS = [field.name for field in fields(Product) if field.name != "views"]
Key = tuple[str, str]  # shop, product


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What an upsert did. A product that only gained a view is `same`; the view is in `views_new`."""

    new: int = 0
    changed: int = 0
    same: int = 0
    views_new: int = 0

    def __add__(self, more: "Counts") -> "Counts":
        return Counts(**{name.name: getattr(self, name.name) + getattr(more, name.name) for name in fields(Counts)})


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

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine = engine
        self.name = name  # for messages: never holds a password

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def upsert(self, told: Iterable[Product], *, seen: datetime) -> Counts:
        """Take in products: new ones are added, known ones learn what is told; what is told empty erases nothing.

        One transaction, open while `told` is walked: an error half way, even in `told` itself, leaves all as it was.
        Hand in products that are ready, so that other writers do not wait for a picture to be decoded.
        """
        total = Counts()
        with self._transaction(writes=True) as connection:
            for some in _chunks(told, CHUNK):
                total += _upsert(connection, some, _utc(seen))
        return total

    def mark_gone(self, shop: str, *, before: datetime) -> int:
        """Mark as gone what a shop has not shown since `before`; an upsert brings it back. Answers how many."""
        unseen = (PRODUCTS.c.shop == shop) & (PRODUCTS.c.last_seen < _utc(before)) & ~PRODUCTS.c.gone
        with self._transaction(writes=True) as connection:
            return connection.execute(sa.update(PRODUCTS).where(unseen).values(gone=True)).rowcount

    def products(self, category: str = "", shop: str = "", brand: str = "", *, with_gone: bool = True) -> list[Product]:
        """Products with their views: products by shop and name, views by their name, then sha256.

        "" asks for all; a capital more or less does not matter, as nobody types "Boots" twice alike.
        """
        asked = {"category": category, "shop": shop, "brand": brand}
        wanted = [sa.func.lower(PRODUCTS.c[name]) == value.lower() for name, value in asked.items() if value]
        with self._transaction() as connection:
            known = _read(connection, *wanted, *([] if with_gone else [~PRODUCTS.c.gone]))
        return [known[key] for key in sorted(known)]

    def prices(self, shop: str, product: str) -> list[PriceSeen]:
        """Every price that a product has had, oldest first."""
        same = (HISTORY.c.shop == shop) & (HISTORY.c.product == product)
        asked = sa.select(HISTORY.c.seen, HISTORY.c.price, HISTORY.c.currency).where(same).order_by(HISTORY.c.seen)
        return [PriceSeen(**row) for row in self._rows(asked)]

    def set_aside(self, rows: Iterable[SetAside], *, seen: datetime) -> int:
        """Keep the rows that were not taken in; telling one again only moves its moment. Answers how many are new."""
        told = {_digest(row): {"id": _digest(row), **vars(row), "seen": _utc(seen)} for row in rows}
        with self._transaction(writes=True) as connection:
            before = _how_many(connection, QUARANTINE)
            _put(connection, QUARANTINE, list(told.values()))
            return _how_many(connection, QUARANTINE) - before

    def quarantined(self) -> list[SetAside]:
        """Every row that was set aside, by where it was."""
        asked = sa.select(*(QUARANTINE.c[field.name] for field in fields(SetAside)))
        rows = [SetAside(**row) for row in self._rows(asked)]
        return sorted(rows, key=lambda row: (row.where, row.picture, row.product, row.reason, row.text))

    def begin_import(self, kind: str, source: str, *, started: datetime) -> int:
        """Note that a crawl or an import has begun, and answer its number."""
        row = {"kind": kind, "source": source, "status": "running", "started": _utc(started), "counts": {}}
        with self._transaction(writes=True) as connection:
            number: int = connection.execute(sa.insert(IMPORTS).returning(IMPORTS.c.id), row).scalar_one()
        return number

    def end_import(self, number: int, *, ended: datetime, status: str, counts: dict[str, int]) -> None:
        """Note how the import of this number ended: status done or failed, and what it counted."""
        facts = {"ended": _utc(ended), "status": status, "counts": counts}
        with self._transaction(writes=True) as connection:
            if not connection.execute(sa.update(IMPORTS).where(IMPORTS.c.id == number).values(facts)).rowcount:
                raise KeyError(f"no import {number} in {self.name}")

    def imports(self) -> list[ImportRecord]:
        """Every crawl and import, oldest first."""
        return [ImportRecord(**row) for row in self._rows(sa.select(IMPORTS).order_by(IMPORTS.c.id))]

    def counts(self) -> Contents:
        """How much is in the catalog."""
        with self._transaction() as connection:
            return Contents(
                products=_how_many(connection, PRODUCTS),
                gone=_how_many(connection, PRODUCTS, PRODUCTS.c.gone),
                views=_how_many(connection, VIEWS),
                set_aside=_how_many(connection, QUARANTINE),
                imports=_how_many(connection, IMPORTS),
            )

    def prepare(self) -> Self:
        """Make the tables in an empty database; refuse one that is not a catalog of this schema."""
        with self._transaction(writes=True) as connection:
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

    def _rows(self, asked: sa.Select[Any]) -> list[sa.RowMapping]:
        with self._transaction() as connection:
            return list(connection.execute(asked).mappings())

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        with (
            _explained(self.name, self._engine.url),
            self._engine.execution_options(writes=writes).begin() as connection,
        ):
            yield connection


def open_store(url: str) -> Store:
    """Open the catalog at `sqlite:///data/catalog.db` or `postgresql+psycopg://user@host/name`; make it if need be."""
    address = _address(url)
    if address.get_backend_name() == "sqlite" and address.database:
        _make_folder(Path(address.database))
    store = Store(_engine(address), _shown(address))
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


def _upsert(connection: sa.Connection, some: list[Product], seen: datetime) -> Counts:
    """Merge a chunk of products into what is known of them, and write what came of it."""
    known = _read(connection, _among([_named(told) for told in some]), lock=True)
    counts = Counts()
    prices: dict[Key, dict[str, Any]] = {}
    pictures: dict[tuple[str, str, str], dict[str, Any]] = {}
    for told in some:
        key = _named(told)
        before = known.get(key)
        after = known[key] = merged(before or Product(shop=told.shop, product=told.product), told)
        counts += _difference(before, after)
        if _repriced(before, after):
            prices[key] = {**_identity(after), "price": after.price, "currency": after.currency, "seen": seen}
        mentioned = {view.sha256 for view in told.views}
        pictures |= {(*key, v.sha256): _view_row(after, v, seen) for v in after.views if v.sha256 in mentioned}
    _put(connection, PRODUCTS, [_product_row(known[key], seen) for key in dict.fromkeys(map(_named, some))])
    _put(connection, VIEWS, list(pictures.values()))
    _put(connection, HISTORY, list(prices.values()))
    return counts


def _difference(before: Product | None, after: Product) -> Counts:
    if before is None:
        return Counts(new=1, views_new=len(after.views))
    same = all(getattr(before, name) == getattr(after, name) for name in FACTS)
    return Counts(changed=int(not same), same=int(same), views_new=len(after.views) - len(before.views))


def _repriced(before: Product | None, after: Product) -> bool:
    known = (before.price, before.currency) if before else None
    return after.price is not None and known != (after.price, after.currency)


def _read(connection: sa.Connection, *wanted: sa.ColumnElement[bool], lock: bool = False) -> dict[Key, Product]:
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


def _among(keys: list[Key]) -> sa.ColumnElement[bool]:
    return sa.tuple_(PRODUCTS.c.shop, PRODUCTS.c.product).in_(keys)


def _put(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows; where the key is taken, overwrite everything but the key and `first_seen`."""
    if not rows:
        return
    asked = INSERTS[connection.dialect.name](table)
    kept = {"first_seen", *(column.name for column in table.primary_key)}
    fresh = {column.name: asked.excluded[column.name] for column in table.columns if column.name not in kept}
    connection.execute(asked.on_conflict_do_update(index_elements=list(table.primary_key), set_=fresh), rows)


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
    return hashlib.sha256(_json(vars(row)).encode()).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; give datetime.now(UTC)")
    return moment.astimezone(UTC)


Thing = TypeVar("Thing")


def _chunks(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    walk = iter(things)
    while some := list(islice(walk, size)):
        yield some


def _address(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, ValueError):  # the text is not shown: who knows where in it the password is
        scheme, mark, _ = url.partition("://")
        shown = f"{scheme}://..." if mark else "a text without ://"
        raise DataError(
            f"The catalog's address cannot be read: you gave {shown}. "
            "Give sqlite:///data/catalog.db, or postgresql+psycopg://user@host/database."
        ) from None
    if backend not in INSERTS:
        raise DataError(
            f"{_shown(address)}: a catalog is kept in sqlite:/// or postgresql+psycopg://, not in {backend}."
        )
    return address


def _shown(address: sa.URL) -> str:
    """The address without user, password and options."""
    if address.get_backend_name() == "sqlite":
        return address.database or "the catalog in memory"
    return f"{address.get_backend_name()}://{address.host or ''}/{address.database or ''}"


def _make_folder(file: Path) -> None:
    if str(file) == ":memory:" or str(file).startswith("file:"):
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise DataError(
            f"{file}: no catalog can be made there ({wrong.strerror}). Name a folder that you may write to."
        ) from None


def _engine(address: sa.URL) -> sa.Engine:
    try:
        engine = sa.create_engine(address, hide_parameters=True, json_serializer=_json)
    except (ModuleNotFoundError, NoSuchModuleError):
        driver = address.drivername.partition("+")[2] or "psycopg"
        raise DataError(
            f"{_shown(address)}: the database driver {driver} is not installed. pip install 'psycopg[binary]' "
            "and write postgresql+psycopg://, or use sqlite:///data/catalog.db."
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # else Python's sqlite3 begins transactions when it likes, and not for DDL
    try:
        for pragma in (f"busy_timeout = {WAIT * 1000}", "journal_mode = WAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()
    except sqlite3.Error:  # not a database: nobody else would close it
        connection.close()
        raise


def _begin_sqlite(connection: sa.Connection) -> None:
    """Writers take the write lock at once: one that reads first and then asks for it may be refused without a wait."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


MENDS = {
    "file is not a database": "Name another file, or move this one away.",
    "malformed": "The file is damaged: restore it from a copy, or import into a new one.",
    "unable to open": "Name a file in a folder that you may write to.",
    "readonly": "Make the file and its folder writable, or name another.",
    "locked": "Another process is writing to it: wait for it to end, then try again.",
}


@contextmanager
def _explained(name: str, address: sa.URL) -> Iterator[None]:
    """Turn a database's error into one that says where and what to do; never with its statement, values or password."""
    try:
        yield
    except DBAPIError as wrong:
        text = " ".join(str(wrong.orig).split())
        for secret in _secrets(address):
            text = text.replace(secret, "***")
        if "disk is full" in text:
            raise DiskFullError(
                f"{name}: {text}; nothing half-written was kept. Free some space and try again."
            ) from None
        mend = next((mend for sign, mend in MENDS.items() if sign in text), "Check the address and that it is running.")
        raise DataError(f"{name}: the catalog cannot be used: {text}. {mend}") from None


def _secrets(address: sa.URL) -> list[str]:
    options = [str(value) for name, value in address.query.items() if "pass" in name]
    return [secret for secret in (address.password, *options) if secret]
