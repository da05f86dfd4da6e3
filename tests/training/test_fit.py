"""Training: it learns, keeps what val liked best, and does the same thing twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import pytorch_lightning as lightning
import torch

from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.data.sampler import Draw
from lookalike.losses.contrastive import contrastive
from lookalike.models.backbone import Backbone
from lookalike.models.checkpoint import load_weights
from lookalike.models.embedder import Embedder, as_callable
from lookalike.models.head import linear
from lookalike.retrieval.evaluation import map_at_r
from lookalike.retrieval.protocol import protocol_for
from lookalike.settings import DataError, DiskFullError, Optimiser
from lookalike.training.fit import fit
from lookalike.training.module import MetricLearner

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


def drawn(products):
    return TrainingBatches(pictures(), Draw(labels=LABELS, products=products, seed=3))


def trained(folder, *, epochs=4, **more):
    lines = []
    one = learner(**more)
    batches = drawn(products=4)
    log = lambda scalars, step, epoch: lines.append((dict(scalars), step, epoch))  # noqa: E731
    return one, fit(one, batches, PlainBatches(pictures()), epochs=epochs, folder=folder, log=log), lines


def test_the_loss_falls_and_val_is_scored_every_epoch(tmp_path):
    _, fitted, lines = trained(tmp_path, epochs=12)
    losses = [scalars["train/loss"] for scalars, _, _ in lines if "train/loss" in scalars]
    vals = [scalars["val/map@r"] for scalars, _, _ in lines if "val/map@r" in scalars]
    assert len(losses) == 24  # two batches an epoch
    assert len(vals) == 12
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    assert fitted.best_score == max(vals)
    assert fitted.best_epoch == vals.index(max(vals))


def test_the_best_checkpoint_holds_the_weights_that_val_liked(tmp_path):
    _, fitted, _ = trained(tmp_path)
    fresh = learner().embedder
    load_weights(fresh, fitted.trained)
    assert nearest_is_twin(as_callable(fresh)(pictures())) == fitted.best_score


def test_the_last_checkpoint_is_of_the_last_epoch_whatever_val_liked(tmp_path):
    one, fitted, _ = trained(tmp_path, epochs=6)
    assert fitted.best_epoch < 5
    last = learnt(tmp_path / "checkpoints/last.ckpt")
    assert all(torch.equal(last[name], value) for name, value in one.embedder.state_dict().items())


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
    batches = drawn(products=4)
    fit(one, batches, PlainBatches(pictures()), epochs=1, folder=tmp_path, log=lambda *_: None)
    changed = {name for name, value in one.embedder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight"}


def test_a_checkpoint_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DataError, match=r"no such checkpoint"):
        load_weights(learner().embedder, tmp_path / "trained.ckpt")


# What can go wrong


def cut(path):
    path.write_bytes(path.read_bytes()[:-3000])


def altered(path):
    data = bytearray(path.read_bytes())
    at = data.index(learnt(path)["head.weight"].numpy().tobytes())
    data[at] ^= 1
    path.write_bytes(data)


def learnt(path):
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name.removeprefix("embedder."): value for name, value in state.items()}


@pytest.mark.parametrize(
    "harm",
    [
        cut,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bytes(1000)),
        lambda path: path.write_text("weights"),
        lambda path: torch.save({"epoch": 1}, path),
        lambda path: torch.save([1], path),
        lambda path: torch.save({"state_dict": print}, path),  # more than tensors: never unpickled
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_named_with_the_mend(tmp_path, harm):
    _, fitted, _ = trained(tmp_path, epochs=1)
    harm(fitted.trained)
    with pytest.raises(DataError, match=r"trained\.ckpt: cannot be read.*restore it from a copy, or train again"):
        load_weights(learner().embedder, fitted.trained)


def test_a_checkpoint_that_reads_well_but_was_altered_is_known_by_its_checksum(tmp_path):
    _, fitted, _ = trained(tmp_path, epochs=1)
    load_weights(learner().embedder, fitted.trained, sha256=fitted.sha256)
    altered(fitted.trained)
    with pytest.raises(DataError, match=r"trained\.ckpt: altered: its sha256"):
        load_weights(learner().embedder, fitted.trained, sha256=fitted.sha256)


@pytest.mark.parametrize("width", [72, 10])
def test_the_weights_of_another_network_are_refused(tmp_path, width):
    _, fitted, _ = trained(tmp_path, epochs=1)
    other = Embedder(small_network(), torch.nn.Sequential(linear(width, dimensions=9)))
    with pytest.raises(DataError, match=r"trained\.ckpt: not the weights of this network.*head"):
        load_weights(other, fitted.trained)


@pytest.mark.parametrize("alone", ["1", "0"])
def test_one_process_of_one_trains_alone_whatever_started_it(tmp_path, monkeypatch, alone):
    monkeypatch.setenv("WORLD_SIZE", alone)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert trained(tmp_path, epochs=1)[1].epochs == 1


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_training_at_its_step(tmp_path, loss):
    losses = iter([1.0, 1.0, 1.0, loss])  # two batches an epoch
    one = learner()
    one.loss = lambda vectors, _: vectors.sum() * 0 + next(losses)
    batches = drawn(products=4)
    said = (
        rf"the loss is {loss} at step 4, in epoch 2, "
        r"at the learning rates 0\.00812 \(head\) and 0\.000812 \(backbone\)\. Lower optimiser\.head_lr .*try another loss$"
    )
    with pytest.raises(DataError, match=said):
        fit(one, batches, PlainBatches(pictures()), epochs=4, folder=tmp_path, log=lambda *_: None)


def test_weights_that_became_no_number_in_the_last_step_of_an_epoch_are_refused_by_val(tmp_path):
    """The root of nothing: the loss is 0, and its slope is not a number."""
    names = [f"{number:02d}" for number in range(len(LABELS))]
    rows = pl.DataFrame({"image": names, "product": LABELS.astype(str), "view": "", "role": "both"})
    one = learner()
    one.loss = lambda vectors, _: (vectors - vectors).square().sum().sqrt()
    one.score = lambda vectors: map_at_r(vectors, rows, protocol_for("product"))
    batches = drawn(products=8)
    assert len(batches) == 1
    with pytest.raises(DataError, match=r"32 of 32 vectors cannot be compared: 32 are not finite"):
        fit(one, batches, PlainBatches(pictures()), epochs=2, folder=tmp_path, log=lambda *_: None)
    assert not (tmp_path / "checkpoints").exists() or not list((tmp_path / "checkpoints").iterdir())


ENDLESS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_fit
test_fit.endless(Path(sys.argv[2]))
"""


def endless(folder):
    """A training that only a signal ends, as a command would run it."""
    try:
        trained(folder, epochs=100_000)
    except KeyboardInterrupt:
        heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        print("stopped, and hears the next one" if heard else "stopped, and is deaf")  # noqa: T201
        sys.exit(130)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_training_ends_it_as_an_interrupt(tmp_path, sent):
    command = [sys.executable, "-c", ENDLESS, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "checkpoints/last.ckpt").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(sent)
        try:
            said, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # one that heard nothing would go on for ever
    assert (process.returncode, said) == (130, "stopped, and hears the next one\n")
    assert "Traceback" not in errors
    assert sorted(one.name for one in (tmp_path / "checkpoints").iterdir()) == ["last.ckpt", "trained.ckpt"]


@pytest.fixture
def tiny_disk(disk):
    return disk("100k")


@pytest.mark.parametrize("taken", [0, 70_000], ids=["while a later one is written", "while the first one is written"])
def test_a_disk_that_is_full_while_a_checkpoint_is_written_is_named_and_no_half_of_it_is_kept(tiny_disk, taken):
    (tiny_disk / "other").write_bytes(bytes(taken))
    one = learner()
    batches = drawn(products=4)

    def fill_up(scalars, step, epoch):
        if epoch == 2 or taken:  # leave less than one checkpoint needs
            room = os.statvfs(tiny_disk)
            with (tiny_disk / "other").open("ab") as other:
                other.write(bytes(max(0, room.f_bavail * room.f_frsize - 8192)))

    with pytest.raises(DiskFullError, match=rf"{tiny_disk}/checkpoints: the disk is full \(0 MB left at .*paths\.runs"):
        fit(one, batches, PlainBatches(pictures()), epochs=5, folder=tiny_disk, log=fill_up)
    left = list((tiny_disk / "checkpoints").iterdir())
    assert {path.name for path in left} == ({"trained.ckpt"} if taken else {"trained.ckpt", "last.ckpt"})
    for path in left:
        load_weights(learner().embedder, path)
