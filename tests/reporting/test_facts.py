"""What is known of pictures before a miss has a cause: copies, twins, views learnt together."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from lookalike.catalog.nearness import fingerprint
from lookalike.reporting.facts import pairs_of, together_of, twins_of
from lookalike.retrieval.protocol import protocol_for


@dataclass(frozen=True)
class Train:
    """A data set that has train alone."""

    rows: tuple[tuple[str, str], ...]  # (product, view)

    def pictures(self, split):
        assert split == "train"
        products, views = zip(*self.rows, strict=True) if self.rows else ((), ())
        return table_of([f"t{at}" for at in range(len(self.rows))], products, views)


def table_of(images, products=(), views=()):
    told = {"image": images, "product": list(products), "style": list(products), "view": list(views)}
    return pl.DataFrame(told, schema=dict.fromkeys(told, pl.String)).with_columns(role=pl.lit("both"))


ASKED = table_of(["a1", "a2", "a3", "b1"], ["a", "a", "a", "b"], ["front", "back", "side", "front"])


def test_one_photograph_of_two_products_is_a_pair_and_it_is_told_whose():
    random = np.random.default_rng(0)
    one, other = (np.kron(random.integers(0, 255, (6, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8) for _ in range(2))
    prints = [fingerprint(picture) for picture in (one, other, one, other)]
    table = table_of(["a1", "b1", "a2", "c1"], ["a", "b", "a", "c"], [""] * 4)
    assert set(pairs_of(table, prints).iter_rows()) == {("a1", "a2", "same product"), ("b1", "c1", "others")}


def test_twins_stand_with_the_nearest_first_and_who_has_none_is_not_there():
    angles = np.radians([0, 60, 20, 5])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = twins_of(ASKED, protocol_for("product"), vectors)
    assert found == {"a1": ["a3", "a2"], "a2": ["a3", "a1"], "a3": ["a1", "a2"]}


@pytest.mark.parametrize(
    ("rows", "together"),
    [
        ((("p", "front"), ("p", "back"), ("q", "side")), {frozenset({"front", "back"})}),
        ((("p", "front"), ("p", "front"), ("q", "back")), {frozenset({"front"})}),
        ((("p", "front"), ("", "side"), ("", "back")), set()),
        ((), None),
    ],
    ids=["two views", "one view twice", "no label", "no train"],
)
def test_views_are_together_where_train_shows_them_of_one_label(rows, together):
    assert together_of(Train(rows), ASKED, protocol_for("product")) == together


def test_where_no_views_are_told_nothing_is_said_of_them():
    table = ASKED.with_columns(view=pl.lit(""))
    assert together_of(Train((("p", "front"), ("p", "back"))), table, protocol_for("product")) is None
