"""What a training does with its parts: losses with weights, raw ones, memories, averages, features."""

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
from torch import nn

from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.data.sampler import Draw
from lookalike.losses.classes import CrossEntropy
from lookalike.losses.contrastive import contrastive
from lookalike.models.backbone import Backbone
from lookalike.models.checkpoint import weights_of
from lookalike.models.embedder import Embedder, features_of
from lookalike.models.head import linear
from lookalike.settings import Optimiser
from lookalike.training.arithmetic import WAYS
from lookalike.training.fit import fit
from lookalike.training.module import MetricLearner

LABELS = np.repeat(np.arange(8), 4)


def pictures():
    random = np.random.default_rng(0)
    patterns = random.integers(60, 200, (8, 16, 16, 3))
    return (patterns[LABELS] + random.normal(0, 60, (32, 16, 16, 3))).clip(0, 255).astype(np.uint8)


def embedder():
    lightning.seed_everything(3, verbose=False)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten())
    network = Backbone(network=layers, width=72, mean=(0.5,) * 3, deviation=(0.5,) * 3)
    return Embedder(network, linear(72, dimensions=8))


def nearest_is_twin(vectors):
    scores = vectors @ vectors.T - 2 * np.eye(len(vectors))
    return float((LABELS[scores.argmax(1)] == LABELS).mean())


def learner(loss=contrastive, **more):
    said = {"head_lr": 1e-2, "backbone_lr": 1e-3} | {name: more.pop(name) for name in list(more) if name in OPTIONS}
    return MetricLearner(embedder(), loss, nearest_is_twin, Optimiser(**said), **more)


OPTIONS = {"backbone_lr", "accumulate", "warmup", "schedule", "head_lr"}


def trained(one, folder, *, given=None, labels=LABELS, epochs=2, products=4, **more):
    lines = []
    log = lambda scalars, step, epoch: lines.append((dict(scalars), step, epoch))  # noqa: E731
    given = pictures() if given is None else given
    batches = TrainingBatches(given, Draw(labels=labels, products=products, seed=3))
    fitted = fit(one, batches, PlainBatches(given), epochs=epochs, folder=folder, log=log, **more)
    return fitted, lines


def test_a_loss_that_wants_them_raw_is_given_what_the_head_gives_before_it_is_normalised(tmp_path):
    lengths = []

    class Raw(CrossEntropy):
        def forward(self, features, labels):
            lengths.append(features.norm(dim=1))
            return super().forward(features, labels)

    trained(learner(Raw(8, 8)), tmp_path)
    assert not torch.allclose(torch.cat(lengths), torch.ones(1))


def test_a_loss_learns_its_own_weights_and_they_are_in_the_checkpoint(tmp_path):
    one = learner(CrossEntropy(8, 8))
    before = one.loss.classifier.weight.clone()
    _, lines = trained(one, tmp_path)
    kept = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert not torch.equal(kept["loss.classifier.weight"], before)
    assert lines[0][0]["lr/loss"] == pytest.approx(1e-2)
    assert set(weights_of(tmp_path / "checkpoints/last.ckpt")) == set(one.embedder.state_dict())


def test_a_frozen_backbone_learns_the_same_head_from_its_features_as_from_pictures(tmp_path):
    looked = learner(backbone_lr=0)
    trained(looked, tmp_path / "pictures")
    knew = learner(backbone_lr=0, from_features=True)
    trained(knew, tmp_path / "features", given=features_of(knew.embedder)(pictures()))
    torch.testing.assert_close(knew.embedder.head.weight, looked.embedder.head.weight)


def test_gradients_of_several_batches_make_one_step_and_one_line(tmp_path):
    one, seen = learner(accumulate=2, warmup=0), []
    one.loss = lambda vectors, labels: seen.append(contrastive(vectors, labels)) or seen[-1]
    _, lines = trained(one, tmp_path, products=2, epochs=1)
    steps = [(line["train/loss"], step) for line, step, _ in lines if "train/loss" in line]
    assert [step for _, step in steps] == [1, 2]
    assert [loss for loss, _ in steps] == pytest.approx(
        [float((a + b).detach()) / 2 for a, b in zip(seen[::2], seen[1::2], strict=True)]
    )


def test_the_average_is_what_is_validated_and_kept(tmp_path):
    one = learner(average=0.9)
    fitted, _ = trained(one, tmp_path, epochs=1)
    kept = weights_of(fitted.trained)
    assert all(torch.equal(kept[name], value) for name, value in one.average.module.state_dict().items())
    assert not torch.equal(kept["head.weight"], one.embedder.head.weight)
    one.embedder.load_state_dict(kept)
    vectors = one.embedder.eval()(torch.from_numpy(pictures())).detach().numpy()
    assert nearest_is_twin(vectors) == fitted.best_score


def test_it_stops_when_val_stands_still(tmp_path):
    one = learner()
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    one.score = lambda _: next(scores)
    fitted, _ = trained(one, tmp_path, epochs=6, patience=3)
    assert (fitted.best_epoch, fitted.epochs) == (1, 5)
    assert fitted.best_score == 0.5


def test_after_training_a_compiled_network_is_as_eager_as_one_that_was_loaded(tmp_path):
    one = learner()
    with torch.compiler.set_stance("force_eager"):  # the compiler itself takes half a minute
        trained(one, tmp_path, epochs=1, compiled=True)
    assert one.embedder.backbone._compiled_call_impl is None


def test_the_epoch_is_chosen_by_what_its_weights_give_in_float32_whatever_they_learn_in(tmp_path):
    one = learner()
    one.score = lambda vectors: float(vectors[:, 0].sum())
    fitted, _ = trained(one, tmp_path, epochs=1, way=WAYS["bfloat16"])
    vectors = one.embedder.eval()(torch.from_numpy(pictures())).detach().numpy()
    assert fitted.best_score == pytest.approx(one.score(vectors), rel=1e-5)


@pytest.mark.slow
def test_a_compiled_network_learns_nearly_the_same_and_keeps_the_names_of_its_weights(tmp_path):
    plain, quick = learner(), learner()
    trained(plain, tmp_path / "plain", epochs=1)
    trained(quick, tmp_path / "quick", epochs=1, compiled=True)
    kept, same = (weights_of(tmp_path / name / "checkpoints/trained.ckpt") for name in ("quick", "plain"))
    assert kept.keys() == same.keys()
    torch.testing.assert_close(kept, same, rtol=1e-2, atol=1e-4)


def test_the_signs_stand_in_the_history_at_every_epochs_end(tmp_path):
    _, lines = trained(learner(), tmp_path)
    found = [step for line, step, _ in lines if "signs/effective_rank" in line]
    assert found == [2, 4]


def test_a_collapse_is_said_once_and_in_words(tmp_path):
    one, said = learner(), []
    nn.init.zeros_(one.embedder.head.weight)
    one.embedder.head.weight.data[0] = 1  # every picture along one axis
    one.loss = lambda vectors, _: (vectors * 0).sum()
    trained(one, tmp_path, say=said.append)
    assert len(said) == 1
    assert said[0].startswith("collapsed: all embeddings are alike")


@pytest.mark.parametrize(("margin", "kinds"), [(0.2, ["dead margin"]), (None, [])])
def test_a_dead_margin_is_said_of_no_loss_but_a_hinge_on_triplets(tmp_path, margin, kinds):
    one, said = learner(), []
    alike = pictures()[::4].repeat(4, axis=0)  # twins lie at 0
    _, lines = trained(one, tmp_path, given=alike, epochs=10, say=said.append, margin=margin)
    assert lines[-2][0]["signs/active_triplets"] == 0
    assert [words.partition(":")[0] for words in said] == kinds
