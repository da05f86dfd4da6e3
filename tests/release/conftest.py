"""What the tests of registry and gate share: releases as they lie on a disk, small but whole, and tables of queries."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from lookalike import files
from lookalike.release import bundle

PROTOCOL = {"match": "product", "left_out": "picture", "split_rule": "auto", "split": "test"}


def asked(hits, *, nearly=None, products=None, brands="", categories=""):
    """per_query.parquet of a test: two queries a product where nothing else is said.

    hits: recall@1 of each query; nearly: its map@r, the same where not told.
    """
    count = len(hits)
    products = [f"p{number // 2:04}" for number in range(count)] if products is None else products
    return pl.DataFrame(
        {
            "image": [f"{number:05}#0" for number in range(count)],
            "product": products,
            "style": [f"s{product[1:3]}" for product in products],
            "brand": [brands] * count if isinstance(brands, str) else brands,
            "category": [categories] * count if isinstance(categories, str) else categories,
            "recall@1": np.asarray(hits, float),
            "map@r": np.asarray(hits if nearly is None else nearly, float),
        }
    )


@pytest.fixture(scope="session")
def queries():
    """The table of a test: `queries([1, 0, ...])`."""
    return asked


@pytest.fixture
def make(tmp_path, fill):
    """Makes a whole release under tmp_path/releases: `make("boots", table, card="second")`. Another card, another id."""

    def made(name="boots", table=None, *, card="", indexed="shop@1", dataset="toy@1", turned=False, **cost):
        table = asked([1.0] * 8) if table is None else table
        with bundle.draft(tmp_path / "releases", name) as draft:
            fill(draft, card=card, turned=turned, catalog=indexed is not None)
            table.write_parquet(draft / "per_query.parquet")
            files.write_json(draft / "metrics.json", metrics(table, cost))
            facts = {"run": f"{name}/20261120-101500", "commit": "abc", "dataset": dataset, "serves": "float32"}
            return bundle.publish(draft, tmp_path / "releases", name, {**facts, "match": "product", "indexed": indexed})

    return made


def metrics(table, cost):
    def figure(name):
        return {"value": table[name].mean(), "ci95": [table[name].mean() / 2, 1.0], "queries": len(table)}

    told = {"milliseconds_per_image": 12.0, "megabytes": 14.0, "dimensions": 3, "threads": 2, **cost}
    return {"protocol": PROTOCOL, "test": {name: figure(name) for name in ("recall@1", "map@r")}, "cost": told}


@pytest.fixture
def place(tmp_path):
    """The folder of all releases, and its registry."""
    (tmp_path / "releases").mkdir()
    return SimpleNamespace(folder=tmp_path / "releases", registry=tmp_path / "releases" / "registry.json")
