"""Mixing trained with pretrained weights."""

import torch

from lookalike.training.blend import blend, mixed

TRAINED = {"w": torch.tensor([1.0, 0.3]), "count": torch.tensor(7), "head": torch.tensor([5.0])}
PRETRAINED = {"w": torch.tensor([0.0, 0.1]), "count": torch.tensor(2)}


def test_the_share_that_scores_best_is_taken():
    state, share, scores = blend(TRAINED, PRETRAINED, lambda one: -abs(float(one["w"][0]) - 0.7))
    assert share == 0.75
    assert list(scores) == [0, 0.25, 0.5, 0.75, 1]
    assert float(state["w"][0]) == 0.75


def test_of_equal_scores_the_one_nearest_the_trained_is_taken():
    assert blend(TRAINED, PRETRAINED, lambda _: 1.0)[1] == 1


def test_the_ends_are_the_two_states_to_the_last_bit():
    assert torch.equal(mixed(TRAINED, PRETRAINED, 1)["w"], TRAINED["w"])
    assert torch.equal(mixed(TRAINED, PRETRAINED, 0)["w"], PRETRAINED["w"])


def test_counts_and_what_the_pretrained_lacks_are_the_trained_ones():
    state = mixed(TRAINED, PRETRAINED, 0.5)
    assert int(state["count"]) == 7
    assert float(state["head"]) == 5
