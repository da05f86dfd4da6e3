"""A drawn catalog on the counter, for the tests of what a release answers. Hand in what a test is about, the rest is plain."""

import logging
from functools import partial

import numpy as np
import polars as pl
import pytest

from lookalike.features.color_histogram import color_histogram
from lookalike.retrieval import scan
from lookalike.retrieval.scan import Vectors
from lookalike.serving.box import Box, Sight
from lookalike.serving.goods import goods

TEXTS = ("shop", "style", "brand", "category", "color", "name", "price", "currency", "url", "attributes")


@pytest.fixture(autouse=True)
def heard():
    """Hydra, in a test of another room that ran in this process, silenced each logger that was there."""
    for logger in [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]:
        logger.disabled = False


def unit(vectors):
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float16)


def products_table(rows):
    """Products as a release keeps them. rows: a dict each; what it does not say is not told."""
    columns = {name: [row.get(name, "") for row in rows] for name in TEXTS}
    return pl.DataFrame(
        {"product": [row["product"] for row in rows], **columns, "rating": [row.get("rating") for row in rows]},
        schema_overrides={"product": pl.String, **dict.fromkeys(TEXTS, pl.String), "rating": pl.Float64},
    )


def pictures_table(owners, ids=None):
    ids = range(10, 10 + 3 * len(owners), 3) if ids is None else ids
    views = [f"view {place}" for place in range(len(owners))]
    return pl.DataFrame({"id": list(ids), "product": owners, "view": views}, schema_overrides={"product": pl.String})


def blank(data, crop):
    return Sight(square=np.zeros((8, 8, 3), np.uint8), proposal=None, sides=(8, 8))


def boxed(shape, color, owners, rows=None, **said):
    """shape (N, D), color (N, C); owners: the product of each picture."""
    rows = [{"product": key} for key in sorted(set(owners))] if rows is None else rows
    pictures = pictures_table(owners)
    vectors = Vectors(shape=unit(shape), color=unit(color), ids=pictures["id"].to_numpy())
    parts = {
        "label": "drawn/0123456789ab",
        "catalog": "drawn@0123456789ab",
        "sight": blank,
        "look": partial(color_histogram, bins=1),
        "tint": color_histogram,
        "search": partial(scan.exact, vectors),
        "vectors": vectors,
        "goods": goods(pictures, products_table(rows)),
        "thumbnail": {}.__getitem__,
    }
    return Box(**{**parts, **said})


@pytest.fixture(scope="session")
def a_box():
    return boxed


@pytest.fixture(scope="session")
def a_products_table():
    return products_table


@pytest.fixture(scope="session")
def a_pictures_table():
    return pictures_table


@pytest.fixture(scope="session")
def as_halves():
    return unit
