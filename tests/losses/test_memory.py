"""Cross-batch memory: what it holds, when it is used, and that a resumed one is the one that was never stopped."""

import io

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning.losses import ContrastiveLoss
from pytorch_metric_learning.losses import CrossBatchMemory as TheirMemory

from lookalike.losses.classes import cross_entropy
from lookalike.losses.contrastive import contrastive
from lookalike.losses.library import loss_maker
from lookalike.losses.memory import CrossBatchMemory
from lookalike.losses.triplet import triplet
from lookalike.settings import ConfigError

BATCH = 4


def batches(count):
    random = torch.manual_seed(0)
    return [
        (F.normalize(torch.randn(BATCH, 3, generator=random)), torch.arange(BATCH) // 2 + step % 3)
        for step in range(count)
    ]


def memory(size=10, warmup_steps=2, loss=contrastive):
    return CrossBatchMemory(loss, size=size, dimensions=3, warmup_steps=warmup_steps)


def saved_and_loaded(one, other):
    held = io.BytesIO()
    torch.save(one.state_dict(), held)
    held.seek(0)
    other.load_state_dict(torch.load(held, weights_only=True))
    return other


def test_it_is_not_used_before_it_is_warm_and_then_holds_what_came_meanwhile():
    remembering, come = memory(warmup_steps=2), batches(3)
    for embeddings, labels in come[:2]:
        assert remembering(embeddings, labels) == contrastive(embeddings, labels)
    embeddings, labels = come[2]
    others = torch.cat([embeddings, come[0][0], come[1][0]])
    wanted = contrastive(embeddings, labels, others, torch.cat([labels, come[0][1], come[1][1]]))
    assert wanted != contrastive(embeddings, labels)
    assert remembering(embeddings, labels) == wanted


def test_the_oldest_are_forgotten_first():
    remembering, come = memory(size=6), batches(3)
    for embeddings, labels in come:
        remembering(embeddings, labels)
    wanted = torch.cat([embeddings for embeddings, _ in come])[-6:]
    assert sorted(remembering.embeddings.tolist()) == sorted(wanted.tolist())
    assert (int(remembering.filled), int(remembering.cursor), int(remembering.steps)) == (6, 0, 3)


def test_of_a_batch_larger_than_the_memory_the_last_are_remembered():
    remembering, ((embeddings, labels),) = memory(size=3), batches(1)
    remembering(embeddings, labels)
    assert torch.equal(remembering.embeddings, embeddings[1:])


@pytest.mark.parametrize("stopped_after", [0, 1, 2, 3, 5, 6])  # cold, half full, and after it has wrapped round at 10
@pytest.mark.parametrize("loss", [contrastive, triplet, loss_maker("NTXentLoss")(3, 4)])
def test_a_resumed_memory_gives_the_losses_of_one_that_was_never_stopped(stopped_after, loss):
    come = batches(9)
    whole = memory(loss=loss)
    undisturbed = [whole(*one) for one in come]
    stopped = memory(loss=loss)
    for one in come[:stopped_after]:
        stopped(*one)
    resumed = saved_and_loaded(stopped, memory(loss=loss))
    assert [resumed(*one) for one in come[stopped_after:]] == undisturbed[stopped_after:]


def test_its_gradient_reaches_the_batch_through_both_sides_of_a_pair_and_never_the_past():
    remembering, come = memory(warmup_steps=0), batches(2)
    past, now = (embeddings.clone().requires_grad_() for embeddings, _ in come)
    remembering(past, come[0][1])
    remembering(now, come[1][1]).backward()
    whole = come[1][0].clone().requires_grad_()
    others = torch.cat([whole, come[0][0]])
    contrastive(whole, come[1][1], others, torch.cat([come[1][1], come[0][1]])).backward()
    assert past.grad is None
    torch.testing.assert_close(now.grad, whole.grad)


def test_it_agrees_with_pytorch_metric_learning_which_remembers_first_and_compares_then():
    """Theirs holds the batch itself among its size, so it is given that much more."""
    theirs = TheirMemory(ContrastiveLoss(), embedding_size=3, memory_size=8 + BATCH)
    ours = memory(size=8, warmup_steps=0, loss=loss_maker("ContrastiveLoss")(3, 4))
    for embeddings, labels in batches(7):
        torch.testing.assert_close(ours(embeddings, labels), theirs(embeddings, labels))


@pytest.mark.parametrize("loss", [cross_entropy(3, 4), loss_maker("ProxyAnchorLoss")(3, 4)])
def test_a_loss_that_compares_no_pictures_is_refused_a_memory(loss):
    with pytest.raises(ConfigError, match=r"memory\.size is 10, .* set memory\.size=0"):
        memory(loss=loss)
