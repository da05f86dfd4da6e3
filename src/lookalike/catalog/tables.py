"""The tables of the catalog, in types that SQLite and PostgreSQL both keep without a loss.

In: nothing. Out: SQLAlchemy tables. Never: talks to a database.

Raise `SCHEMA` when a table changes: a database of another schema is then refused, never guessed at.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

SCHEMA = 2


def utc(moment: datetime) -> datetime:
    """The same moment in UTC; a moment without a time zone is nobody's guess to make."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; give datetime.now(UTC)")
    return moment.astimezone(UTC)


class Moment(sa.TypeDecorator[datetime]):
    """A moment, always in UTC; SQLite keeps no time zone, so it is put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002, D102
        return value and utc(value)

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


class Stranger(sa.TypeDecorator[str]):
    """Text as a page had it. A NUL or half a sign, which not every database can hold, becomes a question mark."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002, D102
        return value and value.replace("\0", "?").encode(errors="replace").decode()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, default="")


def _told(name: str) -> sa.Column[str]:
    return sa.Column(name, Stranger, nullable=False, default="")


def _counted(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=False)


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
    sa.Column("stock", sa.Integer),
    _text("url"),
    sa.Column("attributes", sa.JSON, nullable=False),
    sa.Column("first_seen", Moment, nullable=False),
    sa.Column("last_seen", Moment, nullable=False),
    sa.Column("gone", sa.Boolean, nullable=False, default=False),  # its shop no longer shows it
    sa.Column("met_by", sa.Integer),  # the crawl that told of it last; none where another source did
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

HISTORY = (
    sa.Table(  # a row each time a product's price, currency or stock was not what it had been: all three from then on
        "history",
        TABLES,
        *(_key("shop"), _key("product"), sa.Column("seen", Moment, primary_key=True)),
        sa.Column("price", Exact),
        _text("currency"),
        sa.Column("stock", sa.Integer),
        sa.ForeignKeyConstraint(["shop", "product"], ["products.shop", "products.product"], ondelete="CASCADE"),
    )
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

# What crawls find is staged below, and moves up into products, views and history when a crawl is published.

CRAWLS = sa.Table(
    "crawls",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    *(_text(name) for name in ("shop", "scope", "permission", "status")),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("started", Moment, nullable=False),
    sa.Column("ended", Moment),
    sa.Column("published", sa.Integer),  # 1 is the first that the catalog took, whichever number it has
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("notes", sa.JSON, nullable=False),
)

HOLDERS = sa.Table(  # who held the lock of a shop last: only the lock itself says whether they still do
    "crawl_holders", TABLES, _key("shop"), _text("who"), sa.Column("since", Moment, nullable=False)
)

STEPS = sa.Table(
    "crawl_steps",
    TABLES,
    sa.Column("crawl", sa.ForeignKey(CRAWLS.c.id), primary_key=True, autoincrement=False),
    _counted("position"),  # the order in which they became known
    sa.Column("id", sa.String, nullable=False),  # a digest of the key, which is too long for an index
    sa.Column("first", sa.Boolean, nullable=False),  # the crawl begins with it
    *(_told(name) for name in ("kind", "key", "url")),
    _text("status"),  # left | done | failed
    *(_told(name) for name in ("generation", "state", "reason", "text")),
    sa.Column("found", sa.JSON, nullable=False),  # positions of the steps that its page told of, in the page's order
    sa.UniqueConstraint("crawl", "id"),
)


def _brought(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """A table of what steps brought: keyed by the step and the place in it, so that nothing can be there twice."""
    step = ["crawl", "position"]
    return sa.Table(
        name,
        TABLES,
        *(_counted(column) for column in (*step, "place")),
        *columns,
        sa.ForeignKeyConstraint(step, [STEPS.c[column] for column in step]),
    )


ITEMS = _brought(
    "crawl_items",
    *(_told(name) for name in ("product", "page_key")),
    *(sa.Column(name, sa.JSON, nullable=False) for name in ("told", "views", "answered")),
)
SEEN = _brought(
    "crawl_pictures",
    *(_told(name) for name in ("product", "url", "view")),
    _text("sha256"),  # "" where it did not come
    *(_told(name) for name in ("reason", "text")),
)
ODD = _brought("crawl_odd", *(_told(name) for name in ("item", "reason", "text")))
sa.Index("crawl_items_product", ITEMS.c.crawl, ITEMS.c.product)

PICTURES = sa.Table(  # what is known of a picture's bytes
    "pictures",
    TABLES,
    _key("sha256"),
    _text("format"),
    *(sa.Column(name, sa.Integer, nullable=False) for name in ("width", "height", "size")),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
)

ADDRESSES = sa.Table(  # which picture lay at an address when a crawl last fetched it
    "picture_addresses",
    TABLES,
    _key("id"),  # a digest of the address
    _told("url"),
    sa.Column("sha256", sa.ForeignKey(PICTURES.c.sha256), nullable=False),
    *(_told(name) for name in ("view", "role", "split", "source")),
)
