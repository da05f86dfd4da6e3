"""What a batch shows about the learning, worked by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from lookalike.losses.signs import effective_rank, signs, warning

LINE = torch.tensor([[0.0], [1.0], [3.0]])  # twins at 0 and 1, a stranger at 3


def test_the_signs_of_a_twin_pair_and_a_stranger_by_hand():
    found = signs(LINE, torch.tensor([7, 7, 8]), margin=1.5)
    assert found == pytest.approx(
        {
            "signs/active_triplets": 0.5,  # the stranger is further than the twin by 3 - 1 = 2 and by 2 - 1 = 1
            "signs/twin_distance": 1.0,
            "signs/stranger_distance": 2.5,  # of 3 and 2, there and back
            "signs/hardest_stranger": 7 / 3,  # the nearest of each: 3, 2, 2
            "signs/effective_rank": 1.0,  # of one dimension
        }
    )


def test_effective_rank_counts_directions():
    assert effective_rank(torch.eye(4)) == pytest.approx(4)
    assert effective_rank(torch.ones(6, 4)) == pytest.approx(1, abs=1e-4)
    assert effective_rank(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )
    assert effective_rank(torch.zeros(3, 2)) == 0


def test_signs_that_a_batch_cannot_show_are_left_out():
    lonely = signs(LINE, torch.tensor([1, 2, -1]))
    assert set(lonely) == {"signs/effective_rank", "signs/stranger_distance", "signs/hardest_stranger"}
    assert set(signs(LINE, torch.tensor([1, 1, 1]))) == {"signs/effective_rank", "signs/twin_distance"}
    assert warning(signs(F.normalize(torch.randn(4, 8)), torch.arange(4)), hinged=True) == ""


def test_signs_leave_no_trace_in_the_gradient():
    embeddings = torch.randn(4, 3, requires_grad=True)
    signs(embeddings, torch.tensor([0, 0, 1, 1]))
    assert embeddings.grad is None


def test_embeddings_that_have_become_one_point_are_told_with_the_mend():
    point = F.normalize(torch.ones(8, 4) + 1e-3 * torch.randn(8, 4, generator=torch.manual_seed(0)))
    said = warning(signs(point, torch.arange(8) // 2), hinged=False)
    assert said.startswith("collapsed: all embeddings are alike (strangers lie 0.0")
    assert "the effective rank is 1.0" in said
    assert "optimiser.head_lr" in said


def test_embeddings_that_have_become_one_line_are_collapsed_too():
    line = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    assert warning(signs(line, torch.tensor([0, 0, 1, 1])), hinged=True).startswith("collapsed")


def test_a_margin_that_no_triplet_violates_is_told_with_the_mend():
    apart = torch.eye(3).repeat_interleave(2, 0)  # twins at 0, strangers at 1.41
    said = warning(signs(apart, torch.arange(6) // 2, margin=0.2), hinged=True)
    assert said.startswith("dead margin: nothing is left to learn from")
    assert "twins lie 0.00 apart, their nearest strangers 1.41" in said
    assert "Raise loss.margin" in said


def test_a_loss_that_learns_on_without_active_triplets_has_no_dead_margin():
    apart = torch.eye(3).repeat_interleave(2, 0)
    found = signs(apart, torch.arange(6) // 2)
    assert found["signs/active_triplets"] == 0
    assert warning(found, hinged=False) == ""


def test_a_training_that_goes_well_is_not_told_anything():
    apart = torch.eye(3).repeat_interleave(2, 0)
    assert warning(signs(apart, torch.arange(6) // 2, margin=1.5), hinged=True) == ""
