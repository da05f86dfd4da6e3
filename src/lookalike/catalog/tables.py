"""The tables of the catalog, in types that SQLite and PostgreSQL both keep without a loss.

In: nothing. Out: SQLAlchemy tables. Never: talks to a database.

Raise `SCHEMA` when a table changes: a database of another schema is then refused, never guessed at.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

SCHEMA = 1


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
