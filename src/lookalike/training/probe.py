"""Which way to compute is quicker on this machine, found by timing all of them.

In: a learner that has not begun, a draw. Out: a word of arithmetic.WAYS, and the seconds of each. Never: changes the learner, or
moves any stream of random numbers.

The choice differs between machines, and on a busy one between moments: write it down, and hand a resumed run the same.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lookalike.data.sampler import Draw
from lookalike.models.embedder import features_of
from lookalike.training.arithmetic import WAYS, Way, lay_out
from lookalike.training.module import MetricLearner

ROUNDS = 2  # in which each way has its turn, as the machine may be busy for a while with something else
WORTH = 0.9  # of float32's time: what another way must undercut, as it costs digits, or the seconds may be noise


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What was found."""

    way: str  # of arithmetic.WAYS
    seconds: Mapping[str, float]  # of a batch, by way

    @property
    def says(self) -> str:
        """In words."""
        each = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in self.seconds.items())
        return f"{self.way} is chosen; a batch takes {each}"


def quickest(learner: MetricLearner, draw: Draw) -> Probed:
    """Time every way on random pictures; float32 unless another is clearly quicker."""
    rounds = [{name: batch_seconds(learner, draw, way) for name, way in WAYS.items()} for _ in range(ROUNDS)]
    seconds = {name: min(one[name] for one in rounds) for name in WAYS}
    best = min(seconds, key=lambda name: seconds[name])
    return Probed(way=best if seconds[best] < WORTH * seconds["float32"] else "float32", seconds=seconds)


def batch_seconds(learner: MetricLearner, draw: Draw, way: Way) -> float:
    """What one batch takes, forward and backward, after another has warmed up."""
    with torch.random.fork_rng():
        given, labels = example(learner, draw)
        twin = copy.deepcopy(learner).to(given.device)
        lay_out(twin.embedder.backbone, way)
        twin.setup("fit")
        twin.on_train_start()
        _seconds(twin, given, labels, way)
        return _seconds(twin, given, labels, way)


def _seconds(twin: MetricLearner, given: Tensor, labels: Tensor, way: Way) -> float:
    began = time.perf_counter()
    with torch.autocast(given.device.type, torch.bfloat16, enabled=way.bfloat16):
        shown = twin.shown(given)
    torch.autograd.backward(twin.loss(shown, labels))
    if given.is_cuda:
        torch.cuda.synchronize()
    twin.zero_grad()
    return time.perf_counter() - began


def example(learner: MetricLearner, draw: Draw) -> tuple[Tensor, Tensor]:
    """A batch of random pictures, or of their features, with the labels of a real one."""
    labels = torch.from_numpy(draw.labels[next(draw.batches(0))])
    size = learner.embedder.preprocessing.size
    pictures = torch.randint(0, 256, (len(labels), size, size, 3), dtype=torch.uint8)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if not learner.from_features:
        return pictures.to(device), labels.to(device)
    width = features_of(copy.deepcopy(learner.embedder))(pictures[:2].numpy()).shape[1]
    return torch.randn(len(labels), width, device=device), labels.to(device)
