"""The Siamese loss: worked by hand, against brute force and pytorch-metric-learning, and blind to order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import ContrastiveLoss
from pytorch_metric_learning.reducers import AvgNonZeroReducer

from lookalike.losses.contrastive import contrastive


def test_a_twin_pair_and_two_strangers_by_hand():
    line = torch.tensor(
        [[0.0], [1.0], [1.5]]
    )  # twins at 0 and 1; strangers 1.5 and 0.5 away, only the second within 1.0
    loss = contrastive(line, torch.tensor([7, 7, 8]), margin=1.0)
    assert loss.item() == pytest.approx(1.0**2 + (1.0 - 0.5) ** 2)


def test_a_batch_without_twins_only_pushes():
    assert contrastive(torch.tensor([[0.0], [0.5]]), torch.tensor([1, 2]), margin=1.0).item() == pytest.approx(0.25)


def test_a_batch_of_one_has_nothing_to_learn_and_still_has_a_gradient():
    embeddings = torch.zeros(1, 3, requires_grad=True)
    contrastive(embeddings, torch.tensor([1])).backward()
    assert torch.equal(embeddings.grad, torch.zeros(1, 3))


def test_strangers_beyond_the_margin_are_left_alone():
    far = torch.tensor([[0.0], [3.0]], requires_grad=True)
    contrastive(far, torch.tensor([1, 2]), margin=1.0).backward()
    assert torch.equal(far.grad, torch.zeros(2, 1))


def test_two_equal_twins_give_a_gradient_that_is_a_number():
    same = torch.ones(2, 3, requires_grad=True)
    contrastive(same, torch.tensor([1, 1])).backward()
    assert torch.isfinite(same.grad).all()


def test_it_agrees_with_brute_force_over_all_pairs():
    embeddings, products = torch.randn(12, 5, generator=torch.manual_seed(1)), torch.arange(12) % 4
    pull, push = [], []
    for i in range(12):
        for j in range(i):
            distance = (embeddings[i] - embeddings[j]).norm()
            if products[i] == products[j]:
                pull.append(distance**2)
            elif distance < 3:
                push.append((3 - distance) ** 2)
    wanted = sum(pull) / len(pull) + sum(push) / len(push)
    torch.testing.assert_close(contrastive(embeddings, products, margin=3.0), wanted)


def test_it_agrees_with_pytorch_metric_learning_where_distances_are_squared_alike():
    """PML reduces plain hinges; with every hinge squared by hand its pair terms are ours."""
    embeddings, products = torch.randn(8, 4, generator=torch.manual_seed(2)), torch.arange(8) % 2
    unit = torch.nn.functional.normalize(embeddings)
    theirs = ContrastiveLoss(pos_margin=0, neg_margin=1, reducer=AvgNonZeroReducer())
    pairs = theirs.compute_loss(unit, products, None, unit, products)
    wanted = sum(
        (part["losses"][part["losses"] > 0] ** 2).mean() for part in pairs.values() if (part["losses"] > 0).any()
    )
    torch.testing.assert_close(contrastive(unit, products, margin=1.0), wanted)


@settings(deadline=None)  # the first torch call is slow
@given(st.permutations(range(8)))
def test_the_order_of_a_batch_does_not_change_its_loss(order):
    embeddings, products = torch.randn(8, 4, generator=torch.manual_seed(3)), torch.arange(8) % 3
    shuffled = contrastive(embeddings[list(order)], products[list(order)])
    torch.testing.assert_close(shuffled, contrastive(embeddings, products))
