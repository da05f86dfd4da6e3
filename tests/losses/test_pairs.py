"""Who is whose twin, by hand."""

import torch

from lookalike.losses.pairs import pairs

LINE = torch.tensor([[0.0], [1.0], [3.0]])


def test_a_batch_is_compared_with_itself_and_no_picture_with_its_own_self():
    distance, twins, strangers = pairs(LINE, torch.tensor([7, 7, 8]))
    assert distance.tolist() == [[0, 1, 3], [1, 0, 2], [3, 2, 0]]
    assert twins.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert strangers.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_among_others_which_begin_with_the_batch_a_picture_still_never_meets_itself():
    others = torch.cat([LINE[:2], LINE])  # the batch, then an older copy of it and a stranger
    distance, twins, strangers = pairs(LINE[:2], torch.tensor([7, 7]), others, torch.tensor([7, 7, 7, 7, 8]))
    assert distance.shape == (2, 5)
    assert twins.tolist() == [[False, True, True, True, False], [True, False, True, True, False]]
    assert strangers.tolist() == [[False, False, False, False, True]] * 2


def test_a_picture_of_unknown_label_is_nobodys_twin_and_everybodys_stranger():
    _, twins, strangers = pairs(LINE, torch.tensor([-1, -1, 8]))
    assert not twins.any()
    assert strangers.tolist() == [[False, True, True], [True, False, True], [True, True, False]]
