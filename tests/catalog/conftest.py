"""A database of a test's own: a file, and a schema of the PostgreSQL that LOOKALIKE_TEST_POSTGRESQL names."""

import os
from uuid import uuid4

import pytest
import sqlalchemy as sa

from lookalike.catalog.store import open_store

POSTGRESQL = os.environ.get("LOOKALIKE_TEST_POSTGRESQL", "")


@pytest.fixture
def schema():
    """The URL of a new schema, which goes as it came."""
    if not POSTGRESQL:
        pytest.skip("no LOOKALIKE_TEST_POSTGRESQL; LOOKALIKE_TEST_POSTGRESQL=$(scripts/postgresql start) has one")
    name = f"test_{uuid4().hex}"
    engine = sa.create_engine(POSTGRESQL, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    inside = sa.make_url(POSTGRESQL).update_query_dict({"options": f"-csearch_path={name}"})
    yield inside.render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.schema.DropSchema(name, cascade=True))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/catalog.db"
    return request.getfixturevalue("schema")


@pytest.fixture
def store(address):
    """An empty catalog, in each kind of database."""
    with open_store(address) as opened:
        yield opened
