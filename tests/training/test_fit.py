"""Training: it learns, keeps what val liked best, and does the same thing twice."""

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from lookalike.data.augment import shift_and_light
from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.losses.contrastive import contrastive
from lookalike.models.backbone import Backbone
from lookalike.models.embedder import Embedder, as_callable
from lookalike.models.head import linear
from lookalike.settings import DataError, Optimiser
from lookalike.training.fit import fit, load_weights
from lookalike.training.module import MetricLearner, share_of_rate

LABELS = np.repeat(np.arange(8), 4)


def pictures():
    """Eight products, each its own pattern under heavy noise."""
    random = np.random.default_rng(0)
    patterns = random.integers(60, 200, (8, 16, 16, 3))
    noisy = patterns[LABELS] + random.normal(0, 60, (32, 16, 16, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def small_network():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, 2),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(3),
        torch.nn.Flatten(),
    )
    return Backbone(network=network, width=72, mean=(0.5,) * 3, deviation=(0.5,) * 3)


def nearest_is_twin(vectors):
    scores = vectors @ vectors.T - 2 * np.eye(len(vectors))
    return float((LABELS[scores.argmax(1)] == LABELS).mean())


def learner(**more):
    lightning.seed_everything(3, verbose=False)
    network = small_network()
    said = Optimiser(head_lr=1e-2, backbone_lr=1e-3, **more)
    return MetricLearner(Embedder(network, linear(network.width, dimensions=8)), contrastive, nearest_is_twin, said)


def trained(folder, *, epochs=4, **more):
    lines = []
    one = learner(**more)
    batches = TrainingBatches(pictures(), LABELS, shift_and_light, products=4, views=2, seed=3)
    log = lambda scalars, step, epoch: lines.append((dict(scalars), step, epoch))  # noqa: E731
    return one, fit(one, batches, PlainBatches(pictures()), epochs=epochs, folder=folder, log=log), lines


def test_the_loss_falls_and_val_is_scored_every_epoch(tmp_path):
    _, fitted, lines = trained(tmp_path, epochs=12)
    losses = [scalars["train/loss"] for scalars, _, _ in lines if "train/loss" in scalars]
    vals = [scalars["val/recall@1"] for scalars, _, _ in lines if "val/recall@1" in scalars]
    assert len(losses) == 24  # two batches an epoch
    assert len(vals) == 12
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    assert fitted.best_score == max(vals)
    assert fitted.best_epoch == vals.index(max(vals))


def test_the_best_checkpoint_holds_the_weights_that_val_liked(tmp_path):
    _, fitted, _ = trained(tmp_path)
    fresh = learner().embedder
    load_weights(fresh, fitted.best)
    assert nearest_is_twin(as_callable(fresh)(pictures())) == fitted.best_score


def test_the_same_settings_give_the_same_weights_bit_for_bit(tmp_path):
    first, second = (trained(tmp_path / name)[0].embedder.state_dict() for name in ("a", "b"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_frozen_statistics_stay_and_others_move(tmp_path):
    untouched = learner().embedder.backbone[1].running_mean
    frozen = trained(tmp_path / "a", frozen_statistics=True)[0].embedder.backbone[1].running_mean
    free = trained(tmp_path / "b", frozen_statistics=False)[0].embedder.backbone[1].running_mean
    assert torch.equal(frozen, untouched)
    assert not torch.equal(free, untouched)


def test_a_rate_of_zero_freezes_the_backbone(tmp_path):
    lightning.seed_everything(3, verbose=False)
    network = small_network()
    one = MetricLearner(
        Embedder(network, linear(72, dimensions=8)), contrastive, nearest_is_twin, Optimiser(backbone_lr=0)
    )
    before = {name: value.clone() for name, value in one.embedder.state_dict().items()}
    batches = TrainingBatches(pictures(), LABELS, shift_and_light, products=4, views=2, seed=3)
    fit(one, batches, PlainBatches(pictures()), epochs=1, folder=tmp_path, log=lambda *_: None)
    changed = {name for name, value in one.embedder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight"}


def test_a_checkpoint_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DataError, match=r"no such checkpoint"):
        load_weights(learner().embedder, tmp_path / "best.ckpt")


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine():
    shares = [share_of_rate(step, 10, 0.2) for step in range(10)]
    assert shares[:3] == [0.5, 1.0, 1.0]
    assert shares[6] == pytest.approx(0.5)  # half-way down
    assert shares == sorted(shares[:2]) + sorted(shares[2:], reverse=True)
