"""The triplet loss: worked by hand, against plain loops and pytorch-metric-learning, and blind to order and to the far away."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from pytorch_metric_learning.reducers import AvgNonZeroReducer, MeanReducer

from lookalike.losses.triplet import triplet
from lookalike.settings import ConfigError

MININGS = ("all", "semi_hard", "hard")
LINE = torch.tensor([[0.0], [1.0], [3.0]])  # twins at 0 and 1, a stranger at 3: gaps 1 - 3 = -2 and 1 - 2 = -1
LABELS = torch.tensor([7, 7, 8])


def batch(seed=0, size=12, labels=4):
    return F.normalize(torch.randn(size, 5, generator=torch.manual_seed(seed))), torch.arange(size) % labels


def loops(embeddings, labels, others, other_labels, mining, margin, soft):
    """The definition, one triplet at a time."""
    means = []
    for a in range(len(labels)):
        twins = [
            p for p in range(len(others)) if p != a and other_labels[p] == labels[a] and labels[a] >= 0
        ]  # others[a] is a
        strangers = [n for n in range(len(others)) if n != a and n not in twins]
        gaps = [
            (embeddings[a] - others[p]).norm() - (embeddings[a] - others[n]).norm() for p in twins for n in strangers
        ]
        if mining == "hard":
            gaps = [max(gaps)] if gaps else []
        elif mining == "semi_hard":
            gaps = [gap for gap in gaps if -margin < gap < 0]
        elif not soft:
            gaps = [gap for gap in gaps if gap > -margin]
        means += [math.log1p(math.exp(margin + gap)) if soft else max(0.0, margin + float(gap)) for gap in gaps]
    return sum(means) / len(means) if means else 0.0


@pytest.mark.parametrize(
    ("mining", "margin", "soft", "wanted"),
    [
        ("all", 1.5, False, 0.5),  # hinges 0 and 0.5: the mean of the active one
        ("all", 3.0, False, 1.5),  # 1 and 2
        ("semi_hard", 3.0, False, 1.5),
        ("hard", 1.5, False, 0.25),  # of both anchors
        ("all", 2.0, True, (math.log(2) + math.log1p(math.e)) / 2),  # softplus of 0 and 1
    ],
)
def test_a_twin_pair_and_a_stranger_by_hand(mining, margin, soft, wanted):
    assert triplet(LINE, LABELS, mining=mining, margin=margin, soft=soft).item() == pytest.approx(wanted)


def test_a_stranger_nearer_than_the_twin_is_too_hard_for_semi_hard():
    line = torch.tensor([[0.0], [1.0], [0.5]])
    assert triplet(line, LABELS, mining="semi_hard", margin=0.4) == 0
    assert triplet(line, LABELS, mining="hard", margin=0.4).item() == pytest.approx(0.9)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("mining", MININGS)
def test_it_agrees_with_plain_loops_over_every_triplet_with_a_memory_and_unknown_labels(mining, soft):
    embeddings, labels = batch()
    labels[3] = -1
    older, older_labels = batch(seed=1, size=9, labels=5)
    older_labels[0] = -1
    others, other_labels = torch.cat([embeddings, older]), torch.cat([labels, older_labels])
    found = triplet(embeddings, labels, others, other_labels, mining=mining, margin=0.3, soft=soft)
    wanted = loops(embeddings, labels, others, other_labels, mining, 0.3, soft)
    assert wanted > 0
    assert found.item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    ("mining", "miner", "reducer"),
    [
        ("all", None, AvgNonZeroReducer()),
        ("semi_hard", TripletMarginMiner(margin=0.2, type_of_triplets="semihard"), AvgNonZeroReducer()),
        ("hard", BatchHardMiner(), MeanReducer()),
    ],
)
def test_it_agrees_with_pytorch_metric_learning(mining, miner, reducer, soft):
    embeddings, labels = batch(seed=2, size=24, labels=6)
    theirs = TripletMarginLoss(margin=0.2, smooth_loss=soft, reducer=reducer)
    indices = miner(embeddings, labels) if miner else None
    found = triplet(embeddings, labels, mining=mining, margin=0.2, soft=soft)
    torch.testing.assert_close(found, theirs(embeddings, labels, indices))


@pytest.mark.parametrize("mining", MININGS)
def test_a_batch_among_itself_is_the_batch_alone(mining):
    embeddings, labels = batch(seed=3)
    alone = triplet(embeddings, labels, mining=mining)
    torch.testing.assert_close(triplet(embeddings, labels, embeddings, labels, mining=mining), alone)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("labels", [[1, 2, 3], [1, 1, 1], [-1, -1, -1]])
def test_a_batch_without_triplets_costs_nothing_and_still_has_a_gradient(mining, labels):
    embeddings = torch.randn(3, 4, requires_grad=True)
    loss = triplet(embeddings, torch.tensor(labels), mining=mining)
    loss.backward()
    assert loss == 0
    assert torch.equal(embeddings.grad, torch.zeros(3, 4))


@pytest.mark.parametrize("mining", MININGS)
def test_embeddings_that_are_all_equal_give_a_gradient_that_is_a_number(mining):
    same = torch.ones(40, 3, requires_grad=True)
    triplet(same, torch.arange(40) // 2, mining=mining).backward()
    assert torch.isfinite(same.grad).all()


def test_semi_hard_with_no_margin_is_refused_as_it_would_learn_nothing():
    with pytest.raises(ConfigError, match=r"semi_hard would learn nothing; raise loss\.margin"):
        triplet(LINE, LABELS, margin=0.0)


@settings(deadline=None, max_examples=30)  # the first torch call is slow
@given(order=st.permutations(range(12)), mining=st.sampled_from(MININGS), soft=st.booleans())
def test_the_order_of_a_batch_does_not_change_its_loss(order, mining, soft):
    embeddings, labels = batch(seed=4)
    shuffled = triplet(embeddings[list(order)], labels[list(order)], mining=mining, soft=soft)
    torch.testing.assert_close(shuffled, triplet(embeddings, labels, mining=mining, soft=soft))


@settings(deadline=None, max_examples=30)
@given(far=st.lists(st.floats(10, 1000), min_size=1, max_size=6), mining=st.sampled_from(MININGS))
def test_strangers_far_beyond_the_margin_change_nothing(far, mining):
    """Unit vectors are at most 2 apart, and every stranger here is 9 away or more. Each has a label of its own."""
    embeddings, labels = batch(seed=5)
    strangers = torch.tensor(far)[:, None] * torch.eye(5)[0]
    crowd, names = torch.cat([embeddings, strangers]), torch.cat([labels, 100 + torch.arange(len(far))])
    alone = triplet(embeddings, labels, mining=mining)
    for compared in ((crowd, names), (embeddings, labels, crowd, names)):  # in the batch; in a memory
        torch.testing.assert_close(triplet(*compared, mining=mining), alone, rtol=1e-4, atol=1e-4)
