"""P x K batches: who takes part, how often, and that an epoch can be drawn again."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookalike.data.sampler import pictures_of, product_batches

LABELS = np.array([0, 0, 1, 1, 1, 2, 3, 3, -1, -1])  # 2 has no twin, -1 belongs to none


def test_only_labels_with_a_twin_take_part():
    assert [rows.tolist() for rows in pictures_of(LABELS)] == [[0, 1], [2, 3, 4], [6, 7]]


def test_no_label_no_pictures():
    assert pictures_of(np.array([-1, -1, 0])) == []


def test_a_batch_holds_p_labels_with_k_pictures_each():
    for rows in product_batches(LABELS, products=3, views=2, seed=0, epoch=0):
        assert Counter(LABELS[rows]) == {0: 2, 1: 2, 3: 2}


def test_a_label_with_fewer_pictures_than_k_shows_all_of_them_and_repeats_some():
    (rows,) = product_batches(np.array([5, 5]), products=1, views=5, seed=0, epoch=0)
    assert set(rows) == {0, 1}
    assert len(rows) == 5


@given(st.integers(0, 50), st.integers(0, 50))
def test_every_label_comes_once_an_epoch_and_the_epoch_can_be_drawn_again(seed, epoch):
    labels = np.repeat(np.arange(12), 3)
    drawn = list(product_batches(labels, products=4, views=2, seed=seed, epoch=epoch))
    assert Counter(labels[np.concatenate(drawn)]) == dict.fromkeys(range(12), 2)
    again = list(product_batches(labels, products=4, views=2, seed=seed, epoch=epoch))
    np.testing.assert_array_equal(drawn, again)


def test_two_epochs_differ():
    first, second = (
        np.concatenate(list(product_batches(np.repeat(np.arange(12), 3), products=4, views=2, seed=0, epoch=e)))
        for e in (0, 1)
    )
    assert first.tolist() != second.tolist()
