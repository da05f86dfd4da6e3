"""Which pictures make a batch: who takes part, how often, and that an epoch can be drawn again."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.data.sampler import SAMPLERS, Draw, balanced, pictures_of
from lookalike.settings import ConfigError

LABELS = np.array([0, 0, 1, 1, 1, 2, 3, 3, -1, -1])  # 2 has no twin, -1 belongs to none
TWELVE = np.repeat(np.arange(12), 3)


def drawn(labels, epoch=0, **options):
    return list(Draw(labels=labels, **options).batches(epoch))


def test_only_labels_with_a_twin_take_part():
    assert [rows.tolist() for rows in pictures_of(LABELS)] == [[0, 1], [2, 3, 4], [6, 7]]


def test_no_label_no_pictures():
    assert pictures_of(np.array([-1, -1, 0])) == []


def test_a_batch_holds_p_labels_with_k_pictures_each():
    for rows in drawn(LABELS, products=3, views=2):
        assert Counter(LABELS[rows]) == {0: 2, 1: 2, 3: 2}


def test_a_label_with_fewer_pictures_than_k_shows_all_of_them_and_repeats_some():
    (rows,) = drawn(np.array([5, 5]), products=1, views=5)
    assert set(rows) == {0, 1}
    assert len(rows) == 5


@given(st.integers(0, 50), st.integers(0, 50))
def test_every_label_comes_once_an_epoch_and_the_epoch_can_be_drawn_again(seed, epoch):
    first = drawn(TWELVE, epoch, products=4, views=2, seed=seed)
    assert Counter(TWELVE[np.concatenate(first)]) == dict.fromkeys(range(12), 2)
    np.testing.assert_array_equal(first, drawn(TWELVE, epoch, products=4, views=2, seed=seed))


def test_two_epochs_differ():
    first, second = (np.concatenate(drawn(TWELVE, epoch, products=4)) for epoch in (0, 1))
    assert first.tolist() != second.tolist()


def test_pictures_of_a_style_come_from_different_products_where_there_are_enough():
    styles = np.zeros(9, int)
    products = np.array([7, 7, 7, 7, 7, 7, 8, 8, 9])
    of_three = Draw(labels=styles, apart=products, products=1, views=3)
    of_four = Draw(labels=styles, apart=products, products=1, views=4)
    for epoch in range(20):
        (three,), (four,) = of_three.batches(epoch), of_four.batches(epoch)
        assert sorted(products[three]) == [7, 8, 9]
        assert len(set(four)) == 4  # a fourth product is wanting, a fourth picture is not
        assert set(products[four]) == {7, 8, 9}


def test_pairs_are_twins_and_strangers_in_turn():
    for rows in drawn(TWELVE, products=4, sampler="pairs"):
        one, other = rows.reshape(4, 2).T
        assert (TWELVE[one] == TWELVE[other]).tolist() == [True, False, True, False]
        assert (one != other).all()


def test_a_triplet_is_an_anchor_its_twin_and_a_stranger():
    for rows in drawn(TWELVE, products=6, sampler="triplets"):
        anchor, twin, stranger = rows.reshape(6, 3).T
        assert (TWELVE[anchor] == TWELVE[twin]).all()
        assert (anchor != twin).all()
        assert (TWELVE[anchor] != TWELVE[stranger]).all()


def test_a_picture_without_a_twin_serves_as_a_stranger_and_one_without_a_label_never():
    strangers = {
        LABELS[rows[2]] for epoch in range(40) for rows in drawn(LABELS, epoch, products=1, sampler="triplets")
    }
    assert strangers == {0, 1, 2, 3}


def test_plain_shows_every_picture_with_a_label_once_in_batches_that_differ_by_one():
    batches = drawn(LABELS, products=3, views=1, sampler="plain")
    assert sorted(np.concatenate(batches)) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [len(rows) for rows in batches] == [3, 3, 2]


@pytest.mark.parametrize("labels", [np.full(4, -1), np.array([], int)])
def test_where_there_is_no_label_there_is_no_batch(labels):
    for sampler in SAMPLERS:
        assert drawn(labels, products=2, sampler=sampler) == []


def test_balance_draws_each_value_equally_often_and_rare_ones_again():
    categories = np.repeat([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2], 3)  # by label: nine, two and one
    draw = Draw(labels=TWELVE, balance=categories, products=3, views=2)
    batches = list(draw.batches(0))
    assert len(batches) == len(draw) == 4  # as without
    assert [sorted(categories[rows[::2]]) for rows in batches] == [[0, 1, 2]] * 4
    of = Counter(TWELVE[np.concatenate(batches)[::2]])
    assert (of[9], of[10], of[11]) == (2, 2, 4)
    shown = {label for epoch in range(10) for rows in draw.batches(epoch) for label in TWELVE[rows]}
    assert shown == set(range(12))  # what waits in one epoch comes in another


@given(st.lists(st.integers(-1, 4), max_size=60), st.integers(0, 9))
def test_balanced_values_come_equally_often_and_never_twice_until_all_of_their_own_have_come(codes, seed):
    codes = np.array(codes, int)
    order = balanced(codes, [1] * len(codes), np.random.default_rng(seed))
    assert len(order) == len(codes)
    counts = [int((codes[order] == code).sum()) for code in np.unique(codes)]
    assert not counts or max(counts) - min(counts) <= 1
    for code in np.unique(codes):
        of_code, own = order[codes[order] == code].tolist(), int((codes == code).sum())
        assert all(len(set(of_code[at : at + own])) == len(of_code[at : at + own]) for at in range(len(of_code)))


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=40), st.integers(1, 12), st.integers(0, 9))
def test_no_label_comes_twice_in_a_balanced_batch_and_what_a_rare_value_cannot_give_the_others_do(
    codes, products, seed
):
    labels = np.repeat(np.arange(len(codes)), 2)
    draw = Draw(labels=labels, balance=np.repeat(codes, 2), products=products, seed=seed)
    batches = list(draw.batches(0))
    assert len(batches) == len(draw) == len(codes) // products
    assert list(map(list, batches)) == list(map(list, draw.batches(0)))
    for rows in batches:
        assert len(set(rows)) == len(rows) == 2 * products


def test_a_value_of_one_label_comes_once_a_batch_and_the_other_shares_its_rest():
    categories = np.repeat([0] * 11 + [1], 3)
    for rows in drawn(TWELVE, balance=categories, products=6, views=2):
        assert Counter(categories[rows[::2]]) == {0: 5, 1: 1}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.sampled_from([1, 2, 3]))
def test_plain_balanced_shows_no_picture_twice_in_a_batch(codes, world):
    draw = Draw(labels=np.zeros(len(codes), int), balance=np.array(codes), products=6, sampler="plain")
    ranks = [list(replace(draw, world=world, rank=rank).batches(0)) for rank in range(world)]
    for shares in zip(*ranks, strict=True):
        rows = np.concatenate(shares)
        assert len(rows) - len(set(rows)) <= max(0, len(rows) - len(codes))  # fewer pictures than processes repeat


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_epoch_taken_up_in_its_middle_goes_on_as_it_would_have(sampler):
    draw = Draw(labels=TWELVE, products=4, sampler=sampler, seed=3)
    whole, rest = list(draw.batches(5)), list(draw.batches(5, start=1))
    assert len(whole) == len(draw) > 1
    assert list(map(list, rest)) == list(map(list, whole[1:]))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_each_batch_by_whole_units(sampler, world):
    one = drawn(TWELVE, products=4, views=3, sampler=sampler)
    ranks = [drawn(TWELVE, products=4, views=3, sampler=sampler, rank=rank, world=world) for rank in range(world)]
    assert {len(batches) for batches in ranks} == {len(one)}
    for whole, *shares in zip(one, *ranks, strict=True):
        assert np.concatenate(shares).tolist() == whole.tolist()
        assert len({len(share) for share in shares}) == 1
        if sampler == "products":
            labels = [set(TWELVE[share]) for share in shares]
            assert not any(first & second for first, second in pairwise(labels))


@given(st.integers(1, 70), st.sampled_from([1, 2, 3, 6]), st.sampled_from([6, 12]))
def test_plain_shows_every_picture_to_some_rank_and_hardly_any_twice(count, world, products):
    draws = [
        Draw(labels=np.arange(count), products=products, views=2, sampler="plain", rank=rank, world=world)
        for rank in range(world)
    ]
    ranks = [list(draw.batches(0)) for draw in draws]
    shown = np.concatenate([np.concatenate(batches) for batches in ranks])
    assert set(shown) == set(range(count))
    assert len(shown) - count < world
    for shares in zip(*ranks, strict=True):
        assert len({len(share) for share in shares}) == 1
        assert sum(map(len, shares)) <= products * 2


def test_a_batch_that_cannot_be_shared_equally_is_refused():
    with pytest.raises(
        ConfigError, match=r"batch.products=6 cannot be shared equally by 4 processes; give a multiple of 4"
    ):
        Draw(labels=TWELVE, products=6, world=4)
