"""Resuming: killed at any moment and started again, a training ends as if nothing had been."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from lookalike.data.augment import shift_and_light
from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.data.sampler import Draw
from lookalike.losses.memory import CrossBatchMemory
from lookalike.losses.triplet import triplet
from lookalike.models.backbone import Backbone
from lookalike.models.embedder import Embedder
from lookalike.models.head import projection
from lookalike.settings import DataError, Optimiser
from lookalike.tracking.record import Record
from lookalike.training.arithmetic import WAYS
from lookalike.training.checkpoints import step_of
from lookalike.training.fit import fit
from lookalike.training.module import MetricLearner

LABELS = np.repeat(np.arange(24), 4)
STEPS = 6  # of an epoch
SCHEDULES = ("plateau", "cosine")
PATIENCE = 4


def pictures():
    """Products that differ by a faint pattern: hard, so that val moves on slowly."""
    random = np.random.default_rng(0)
    patterns = random.integers(80, 176, (24, 16, 16, 3))
    return (patterns[LABELS] + random.normal(0, 40, (96, 16, 16, 3))).clip(0, 255).astype(np.uint8)


def network():
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, 2),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.AdaptiveAvgPool2d(3),
        torch.nn.Flatten(),
    )
    return Backbone(network=layers, width=72, mean=(0.5,) * 3, deviation=(0.5,) * 3)


def nearest_is_twin(vectors):
    scores = vectors @ vectors.T - 2 * np.eye(len(vectors))
    return float((LABELS[scores.argmax(1)] == LABELS).mean())


class Stopped(BaseException):
    """Ends a training as abruptly as it can be within a process."""


def train(folder, schedule="plateau", *, epochs=10, pause=0.0, stop_at=0, **more):
    """A training as a command would run it, again and again on one folder until it is done."""
    lightning.seed_everything(3, verbose=False)
    said = Optimiser(
        head_lr=1e-2,
        backbone_lr=1e-3,
        layer_decay=0.5,
        schedule=schedule,
        plateau=1,
        accumulate=2 if schedule == "plateau" else 1,
        frozen_statistics=False,
    )
    memory = CrossBatchMemory(triplet, size=40, dimensions=8, warmup_steps=9)
    learner = MetricLearner(
        Embedder(network(), projection(72, hidden=16, dimensions=8)), memory, nearest_is_twin, said, average=0.9
    )
    folder.mkdir(exist_ok=True)
    book = Record(folder)
    book.rewind(step_of(folder / "checkpoints/last.ckpt"))
    batches = TrainingBatches(pictures(), Draw(labels=LABELS, products=4, seed=3), shift_and_light)

    def log(scalars, step, epoch):
        book.log(scalars, step, epoch)
        time.sleep(pause)  # or it would be over before it is killed
        if stop_at and len(history(folder)) == stop_at:
            raise Stopped

    return fit(
        learner,
        batches,
        PlainBatches(pictures(), 32),
        epochs=epochs,
        folder=folder,
        log=log,
        save_every=2,
        patience=PATIENCE,
        **more,
    )


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def left(folder):
    """Everything a training leaves: the history, and every value of both checkpoints."""
    kept = {
        name: torch.load(folder / "checkpoints" / name, weights_only=True) for name in ("trained.ckpt", "last.ckpt")
    }
    return dict(flat(kept)) | dict(flat(history(folder)))


def flat(value, name=""):
    """Nested plain values as (name, value) pairs; a tensor as its bytes."""
    if isinstance(value, dict | list | tuple):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(one, f"{name}/{key}")
    elif isinstance(value, torch.Tensor):
        yield (
            name,
            (value.dtype, tuple(value.shape), value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()),
        )
    else:
        yield name, value


def differing(one, other):
    return sorted(name for name in one.keys() | other.keys() if one.get(name, ...) != other.get(name, ...))


def kill_often(folder, schedule, goals):
    """Train in a child, killed by SIGKILL soon after each of these lines is written, and again until one is done."""
    delays = random.Random(5)
    for goal in [*goals, None]:
        child = os.fork()  # not a new process each: importing takes longer than training
        if not child:
            train(folder, schedule, pause=0.02)
            os._exit(0)
        if goal:
            wait_for(folder / "history.jsonl", goal)
            time.sleep(delays.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
        print(os.waitpid(child, 0)[1], step_of(folder / "checkpoints/last.ckpt"), flush=True)  # noqa: T201


def wait_for(path, lines):
    while not path.exists() or path.read_text().count("\n") < lines:
        time.sleep(0.002)


KILLER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_resume
test_resume.kill_often(Path(sys.argv[2]), sys.argv[3], [int(goal) for goal in sys.argv[4:]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_killed_at_random_moments_it_leaves_the_weights_and_the_history_of_an_undisturbed_one(tmp_path, schedule):
    train(tmp_path / "whole", schedule)
    lines = len(history(tmp_path / "whole"))
    goals = [str(goal) for goal in sorted(random.Random(7).sample(range(1, lines - 2), 8))]
    command = [sys.executable, "-c", KILLER, str(Path(__file__).parent), str(tmp_path / "killed"), schedule, *goals]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()
    ends, steps = zip(*(map(int, line.split()) for line in told), strict=True)
    assert ends == (signal.SIGKILL,) * 8 + (0,)
    assert len(set(steps)) > 4, "killed at the same step all the time, which proves little"
    assert differing(left(tmp_path / "whole"), left(tmp_path / "killed")) == []


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_stopped_at_each_line_of_its_history_it_ends_the_same(tmp_path, schedule):
    train(tmp_path / "whole", schedule, epochs=3)
    for line in range(1, len(history(tmp_path / "whole")) + 1):
        with pytest.raises(Stopped):
            train(tmp_path / "stopped", schedule, epochs=3, stop_at=line)
    train(tmp_path / "stopped", schedule, epochs=3)
    assert differing(left(tmp_path / "whole"), left(tmp_path / "stopped")) == []


def test_killed_between_the_two_checkpoints_of_an_epoch_it_learns_the_epoch_again(tmp_path):
    train(tmp_path / "whole", "cosine", epochs=3)
    with pytest.raises(Stopped):
        train(tmp_path / "killed", "cosine", epochs=3, stop_at=len(history(tmp_path / "whole")))
    shutil.copy(tmp_path / "whole/checkpoints/trained.ckpt", tmp_path / "killed/checkpoints")
    train(tmp_path / "killed", "cosine", epochs=3)
    assert differing(left(tmp_path / "whole"), left(tmp_path / "killed")) == []


def altered(path):
    """One bit of a weight, which torch reads without a word."""
    data = bytearray(path.read_bytes())
    state = torch.load(path, weights_only=True)["state_dict"]
    weight = next(value for name, value in state.items() if name.endswith("head.0.weight"))
    data[data.index(weight.numpy().tobytes())] ^= 1
    path.write_bytes(data)


MENDS = r"trained\.ckpt: .*remove last\.ckpt beside it, and the same command begins this run anew"


@pytest.mark.parametrize("harm", [altered, Path.unlink], ids=["altered by a bit", "deleted"])
def test_the_best_weights_lost_between_a_kill_and_the_end_are_missed_at_the_end(tmp_path, harm):
    whole = train(tmp_path, "cosine", epochs=2)
    harm(whole.trained)
    with pytest.raises(DataError, match=MENDS):
        train(tmp_path, "cosine", epochs=2)
    (tmp_path / "checkpoints/last.ckpt").unlink()
    assert train(tmp_path, "cosine", epochs=2) == whole


def test_best_weights_that_were_lost_and_then_surpassed_are_not_missed(tmp_path):
    whole = train(tmp_path / "whole", "cosine", epochs=3)
    assert whole.best_epoch == 2
    with pytest.raises(Stopped):
        train(tmp_path / "harmed", "cosine", epochs=3, stop_at=2 * STEPS + 3)
    (tmp_path / "harmed/checkpoints/trained.ckpt").unlink()
    assert train(tmp_path / "harmed", "cosine", epochs=3).sha256 == whole.sha256


@pytest.mark.parametrize("epochs", [2, 50], ids=["at its last epoch", "early"])
def test_a_training_that_is_over_learns_nothing_more(tmp_path, epochs):
    first = train(tmp_path, epochs=epochs)
    before, drawn = left(tmp_path), torch.rand(3)
    second = train(tmp_path, epochs=epochs)
    assert first == second
    assert first.epochs == epochs or first.epochs == first.best_epoch + 1 + PATIENCE
    assert differing(before, left(tmp_path)) == []
    assert torch.equal(torch.rand(3), drawn)


def test_the_step_of_a_checkpoint_is_that_of_the_last_line_of_the_history(tmp_path):
    assert step_of(tmp_path / "checkpoints/last.ckpt") == 0
    train(tmp_path, "cosine", epochs=2)
    assert step_of(tmp_path / "checkpoints/last.ckpt") == history(tmp_path)[-1]["step"] == 2 * STEPS


def test_computed_in_bfloat16_and_channels_last_it_goes_on_the_same_too(tmp_path):
    way = WAYS["bfloat16"]
    train(tmp_path / "whole", epochs=2, way=way)
    with pytest.raises(Stopped):
        train(tmp_path / "stopped", epochs=2, way=way, stop_at=6)
    train(tmp_path / "stopped", epochs=2, way=way)
    assert differing(left(tmp_path / "whole"), left(tmp_path / "stopped")) == []


def cut(path):
    path.write_bytes(path.read_bytes()[:-3000])


@pytest.mark.parametrize(
    "harm",
    [cut, altered, lambda path: path.write_bytes(b""), lambda path: torch.save({"state_dict": {}}, path)],
    ids=["cut short", "altered by a bit", "empty", "another file"],
)
def test_a_damaged_checkpoint_is_named_with_the_mend(tmp_path, harm):
    train(tmp_path, "cosine", epochs=1)
    harm(tmp_path / "checkpoints/last.ckpt")
    with pytest.raises(DataError, match=r"last\.ckpt: cannot be gone on from .*remove it, and the same command begins"):
        train(tmp_path, "cosine", epochs=2)
