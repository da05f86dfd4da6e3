"""The database under the catalog: its address in, an engine out, and its errors in words that a user can act on.

In: `sqlite:///data/catalog.db` or `postgresql+psycopg://user@host/name`. Out: a SQLAlchemy engine. Never: knows a table
of the catalog, or shows a password, a statement or its values.
"""

import fcntl
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from lookalike.settings import DataError, DiskFullError

WAIT = 30  # seconds to wait for another writer
NOTICED = 2  # seconds in which a PostgreSQL server surely notices that a process is no more, and frees its locks
TIMED_OUT = "55P03"  # how it says that a lock was not to be had in time
THIS = sa.func.hashtext(sa.func.current_schema())  # PostgreSQL's locks are the whole database's; a schema is a catalog

Insert = sqlite.Insert | postgresql.Insert
INSERTS: dict[str, Callable[[sa.Table], Insert]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def open_engine(url: str) -> sa.Engine:
    """The engine for a database's address; the folder of a SQLite file is made if need be."""
    address = _address(url)
    if address.get_backend_name() == "sqlite" and address.database:
        _make_folder(Path(address.database))
    try:
        engine = sa.create_engine(address, hide_parameters=True, json_serializer=partial(json.dumps, sort_keys=True))
    except (ModuleNotFoundError, NoSuchModuleError):
        driver = address.drivername.partition("+")[2] or "psycopg"
        raise DataError(
            f"{shown(address)}: the database driver {driver} is not installed. pip install 'psycopg[binary]' "
            "and write postgresql+psycopg://, or use sqlite:///data/catalog.db."
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    else:
        sa.event.listen(engine, "begin", _begin_postgresql)
    return engine


@contextmanager
def transaction(engine: sa.Engine, *, writes: bool = False) -> Iterator[sa.Connection]:
    """A transaction, whole or not there. One that `writes` waits for other writers before it reads anything."""
    with _explained(engine.url), engine.execution_options(writes=writes).begin() as connection:
        yield connection


@contextmanager
def alone(engine: sa.Engine, name: str) -> Iterator[bool]:
    """Hold the lock of this name, one of all processes; False where another one has it. A killed process lets go of it."""
    hold = _hold_in_file if engine.dialect.name == "sqlite" else _hold_in_session
    with hold(engine, name) as held:
        yield held


@contextmanager
def _hold_in_file(engine: sa.Engine, name: str) -> Iterator[bool]:
    """A lock on an empty file beside the database, which stays: one that is removed could be locked by two."""
    with transaction(engine) as connection:
        file = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
    if not file:  # in memory, where no other process sees it
        yield True
        return
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    with Path(f"{file}.{digest}.lock").open("ab") as lock:
        yield _locked(lock)


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _hold_in_session(engine: sa.Engine, name: str) -> Iterator[bool]:
    """A lock of a session that is this one's own: closing it frees the lock, and so does a process that is no more."""
    with _explained(engine.url), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()
        yield _granted(connection, name)


def _granted(connection: sa.Connection, name: str) -> bool:
    connection.exec_driver_sql(f"SET lock_timeout = '{NOTICED}s'")
    try:
        connection.execute(sa.select(sa.func.pg_advisory_lock(THIS, sa.func.hashtext(name))))
    except DBAPIError as wrong:
        if getattr(wrong.orig, "sqlstate", "") != TIMED_OUT:
            raise
        return False
    return True


def put(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows; where the key is taken, overwrite all but the key and `first_seen`. `last_seen` never goes back."""
    if rows:
        connection.execute(_putting(connection.dialect.name, table), rows)


@cache
def _putting(dialect: str, table: sa.Table) -> Insert:
    """The statement, made once: that takes longer than to run it."""
    asked = INSERTS[dialect](table)
    kept = {"first_seen", *(column.name for column in table.primary_key)}
    fresh: dict[str, Any] = {one.name: asked.excluded[one.name] for one in table.columns if one.name not in kept}
    if "last_seen" in fresh:
        known, told = table.c.last_seen, asked.excluded.last_seen
        fresh["last_seen"] = sa.case((known > told, known), else_=told)
    return asked.on_conflict_do_update(index_elements=list(table.primary_key), set_=fresh)


def shown(address: sa.URL) -> str:
    """The address for messages: without user, password and options."""
    if address.get_backend_name() == "sqlite":
        return address.database or "the catalog in memory"
    return f"{address.get_backend_name()}://{address.host or ''}/{address.database or ''}"


def _address(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, ValueError):  # the text is not shown: who knows where in it the password is
        scheme, mark, _ = url.partition("://")
        given = f"{scheme}://..." if mark else "a text without ://"
        raise DataError(
            f"The catalog's address cannot be read: you gave {given}. "
            "Give sqlite:///data/catalog.db, or postgresql+psycopg://user@host/database."
        ) from None
    if backend not in INSERTS:
        raise DataError(
            f"{shown(address)}: a catalog is kept in sqlite:/// or postgresql+psycopg://, not in {backend}."
        )
    return address


def _make_folder(file: Path) -> None:
    if str(file) == ":memory:" or str(file).startswith("file:"):
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise DataError(
            f"{file}: no catalog can be made there ({wrong.strerror}). Name a folder that you may write to."
        ) from None


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.create_function("lower", 1, str.lower, deterministic=True)  # its own knows the letters of ASCII alone
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


def _begin_postgresql(connection: sa.Connection) -> None:
    """One writer at a time, as SQLite has it: what a writer reads stays true until it has written."""
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT}s'")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.cast(THIS, sa.BigInteger))))


MENDS = {
    "file is not a database": "Name another file, or move this one away.",
    "malformed": "The file is damaged: restore it from a copy, or import into a new one.",
    "unable to open": "Name a file in a folder that you may write to.",
    "readonly": "Make the file and its folder writable, or name another.",
    **dict.fromkeys(
        ("locked", "lock timeout"), "Another process is writing to it: wait for it to end, then try again."
    ),
}


@contextmanager
def _explained(address: sa.URL) -> Iterator[None]:
    """Turn a database's error into one that says where and what to do; never with its statement, values or password."""
    try:
        yield
    except DBAPIError as wrong:
        name = shown(address)
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
