"""Class transfer, worked by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from lookalike.losses.classes import cross_entropy
from lookalike.settings import ConfigError


def with_logits(loss):
    """The classifier hands its two features on as they are: logits by hand."""
    with torch.no_grad():
        loss.classifier.weight.copy_(torch.eye(2))
        loss.classifier.bias.zero_()
    return loss


def test_one_picture_by_hand():
    loss = with_logits(cross_entropy(2, 2))
    assert loss(torch.tensor([[1.0, 0.0]]), torch.tensor([0])).item() == pytest.approx(math.log1p(math.exp(-1)))


def test_smoothing_spreads_the_truth_over_the_classes():
    loss = with_logits(cross_entropy(2, 2, smoothing=0.2))
    right, wrong = math.log1p(math.exp(-1)), math.log1p(math.exp(1))
    assert loss(torch.tensor([[1.0, 0.0]]), torch.tensor([0])).item() == pytest.approx(0.9 * right + 0.1 * wrong)


def test_pictures_of_no_class_do_not_count():
    loss, features = cross_entropy(3, 4), torch.randn(5, 3, generator=torch.manual_seed(0))
    labels = torch.tensor([2, -1, 0, -1, 3])
    torch.testing.assert_close(loss(features, labels), loss(features[labels >= 0], labels[labels >= 0]))


def test_a_batch_of_no_class_costs_nothing_and_still_has_a_gradient():
    features = torch.randn(2, 3, requires_grad=True)
    cross_entropy(3, 4)(features, torch.tensor([-1, -1])).backward()
    assert torch.equal(features.grad, torch.zeros(2, 3))


def test_it_learns_to_tell_two_classes_apart():
    torch.manual_seed(0)
    features, labels = torch.randn(20, 3), torch.arange(20) % 2
    features[:, 0] += 4 * labels
    loss = cross_entropy(3, 2)
    for _ in range(200):
        gradients = torch.autograd.grad(loss(features, labels), list(loss.parameters()))
        for weights, gradient in zip(loss.parameters(), gradients, strict=True):
            weights.data -= gradient
    assert (loss.classifier(features).argmax(1) == labels).float().mean() > 0.9


def test_it_asks_for_features_that_are_not_normalised_and_compares_no_pictures():
    loss, features, labels = cross_entropy(2, 2), torch.randn(4, 2), torch.tensor([0, 1, 0, 1])
    assert (loss.raw, loss.takes_others) == (True, False)
    torch.testing.assert_close(loss(features, labels), F.cross_entropy(loss.classifier(features), labels))


def test_one_class_alone_is_refused():
    with pytest.raises(ConfigError, match="2 classes or more .* there is 1"):
        cross_entropy(8, 1)
