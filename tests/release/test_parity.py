"""Parity: how near an export is to its run, by hand."""

import numpy as np
import polars as pl
import pytest

from lookalike.release.parity import outside, overlap, parity
from lookalike.retrieval.evaluation import evaluate
from lookalike.retrieval.protocol import protocol_for
from lookalike.settings import Tolerance

CLOCK = np.deg2rad([0, 10, 100, 115, 200, 230])  # three products, two pictures each
TABLE = pl.DataFrame(
    {
        "image": [f"{one}#0" for one in range(6)],
        "product": ["a", "a", "b", "b", "c", "c"],
        **{name: [""] * 6 for name in ("style", "view", "category", "brand", "color")},
        "role": ["both"] * 6,
        "split": ["test"] * 6,
        "group": ["a", "a", "b", "b", "c", "c"],
    }
)


def around(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def found(vectors):
    return evaluate(vectors, TABLE, protocol_for("product"))


def test_the_run_itself_is_the_run():
    vectors = around(CLOCK)
    same = parity(vectors, vectors, found(vectors), found(vectors))
    assert same.cosine_min == pytest.approx(1)
    assert same.overlap == 1
    assert (same.difference.value, same.difference.low, same.difference.high) == (0, 0, 0)
    assert outside(same, Tolerance(), rounds=False) == []


def test_a_picture_that_moved_shows_in_every_figure():
    run = around(CLOCK)
    moved = around(np.deg2rad([0, 100, 10, 115, 200, 230]))  # the second and third change places
    told = parity(moved, run, found(moved), found(run))
    assert told.cosine_min == pytest.approx(0, abs=1e-6)  # 90 degrees away
    assert told.cosine_mean == pytest.approx(4 / 6, abs=1e-6)
    assert told.recall == pytest.approx(2 / 6)  # only c's two still find each other
    assert told.difference.value == pytest.approx(-4 / 6)
    faults = outside(told, Tolerance(), rounds=False)
    assert [fault[:24] for fault in faults] == [
        "mean cosine 0.66667 is b",
        "of one picture the cosin",
        "recall@1 falls by 0.6667",
    ]


def test_vectors_of_eight_bits_may_turn_together_and_those_of_float32_may_not():
    run = around(CLOCK)
    turned = around(CLOCK + np.deg2rad(8))  # everything by the same angle: the search sees nothing of it
    told = parity(turned, run, found(turned), found(run))
    assert told.cosine_mean == pytest.approx(0.990268, abs=1e-6)
    assert outside(told, Tolerance(), rounds=True) == []
    assert outside(told, Tolerance(), rounds=False) == ["mean cosine 0.99027 is below 0.999"]


def test_overlap_counts_whom_both_name_among_the_nearest():
    run = around(np.deg2rad([0, 1, 2, 50]))
    other = around(np.deg2rad([0, 1, 60, 2]))
    # 2 nearest by run: 0:{1,2} 1:{0,2} 2:{1,0} 3:{2,1}; by other: 0:{1,3} 1:{0,3} 2:{3,1} 3:{1,0}
    assert overlap(other, run, k=2) == pytest.approx((1 + 1 + 1 + 1) / 8)


def test_overlap_does_not_hang_on_the_order_of_pictures():
    rng = np.random.default_rng(3)
    run, other = (around(rng.uniform(0, 6, 40)) for _ in range(2))
    order = rng.permutation(40)
    assert overlap(other[order], run[order]) == pytest.approx(overlap(other, run))


def test_no_neighbours_are_no_difference():
    assert overlap(around([0.0]), around([1.0])) == 1
