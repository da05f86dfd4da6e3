"""Training by several processes: together they learn what one would with the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
from torch import nn

from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.data.sampler import Draw
from lookalike.losses.contrastive import contrastive
from lookalike.models.backbone import Backbone
from lookalike.models.checkpoint import weights_of
from lookalike.models.embedder import Embedder
from lookalike.models.head import linear
from lookalike.settings import Optimiser
from lookalike.training.fit import fit
from lookalike.training.module import MetricLearner

LABELS = np.repeat(np.arange(12), 4)


def pictures():
    return np.random.default_rng(0).integers(0, 256, (48, 16, 16, 3), dtype=np.uint8)


def train(folder, *, rank=0, world=1):
    """Without anything that draws while it learns, as each process draws its own."""
    lightning.seed_everything(3, verbose=False)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten())
    network = Backbone(network=layers, width=72, mean=(0.5,) * 3, deviation=(0.5,) * 3)
    one = MetricLearner(
        Embedder(network, linear(72, dimensions=8)), contrastive, lambda _: 0.5, Optimiser(), average=0.5
    )
    draw = Draw(labels=LABELS, products=4, seed=3, rank=rank, world=world)
    lines = []
    log = lambda scalars, step, epoch: lines.append(scalars)  # noqa: E731, ARG005
    fit(
        one, TrainingBatches(pictures(), draw), PlainBatches(pictures()), epochs=2, folder=folder, log=log, save_every=2
    )
    return lines


RANK = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_processes
lines = test_processes.train(Path(sys.argv[2]), rank=int(os.environ["RANK"]), world=int(os.environ["WORLD_SIZE"]))
print(len(lines))
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.slow
def test_two_processes_learn_what_one_does_with_the_whole_batch(tmp_path):
    lines = train(tmp_path / "one")
    said = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    said |= {"TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0", "OMP_NUM_THREADS": "1"}  # as torchrun says it
    command = [sys.executable, "-c", RANK, str(Path(__file__).parent), str(tmp_path / "two")]
    ranks = [
        subprocess.Popen(
            command,
            env={**os.environ, **said, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    told = [one.communicate(timeout=100) for one in ranks]
    assert [one.returncode for one in ranks] == [0, 0], told
    assert [out.strip() for out, _ in told] == [str(len(lines)), "0"]  # one of them writes the history
    for name in ("trained.ckpt", "last.ckpt"):
        kept, same = (weights_of(tmp_path / run / "checkpoints" / name) for run in ("two", "one"))
        torch.testing.assert_close(kept, same, rtol=1e-3, atol=1e-5)
