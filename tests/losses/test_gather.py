"""One batch out of many processes: two real ones, over gloo, against one process that has the whole batch."""

import os
import subprocess
import sys

import pytest
import torch

from lookalike.losses.gather import gather

# What both worlds share: a batch, a network that embeds, and a classifier that learns beside it, as a loss's own weights do.
SHARED = """
import torch
import torch.nn.functional as F
from lookalike.losses.contrastive import contrastive
from lookalike.losses.gather import gather
from lookalike.losses.triplet import triplet
class Learner(torch.nn.Module):
    def __init__(self, loss):
        super().__init__()
        self.network, self.classifier, self.loss = torch.nn.Linear(5, 3), torch.nn.Linear(3, 4), loss
    def forward(self, pictures, labels):
        embeddings, labels = gather(F.normalize(self.network(pictures)), labels)
        return self.loss(embeddings, labels) + F.cross_entropy(self.classifier(embeddings), labels)
def gradients(wrap, mine):
    found = {}
    for loss in (contrastive, triplet):
        torch.manual_seed(0)
        learner = Learner(loss)
        pictures, labels = torch.randn(12, 5), torch.arange(12) % 4
        wrapped = wrap(learner)
        wrapped(pictures[mine], labels[mine]).backward()
        found |= {f"{loss.__name__} {name}": one.grad for name, one in learner.named_parameters()}
    return found
"""
# One process of the two: its half of the batch, torch's own wrapper, and the gradients that it is left with.
PROCESS = """
import sys
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
rank, folder = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
torch.save(gradients(DistributedDataParallel, slice(6 * rank, 6 * rank + 6)), f"{folder}/{rank}.pt")
dist.destroy_process_group()
"""


def in_two_processes(folder):
    """The gradients that each process is left with."""
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_WAIT_POLICY": "PASSIVE"}
    words = [sys.executable, "-W", "error", "-c", SHARED + PROCESS]
    started = [
        subprocess.Popen([*words, str(rank), str(folder)], env=environment, stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    try:
        for one in started:
            _, said = one.communicate(timeout=120)
            assert one.returncode == 0, said
    finally:
        for one in started:
            one.kill()  # one that waits for another that failed
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_are_left_with_the_gradients_of_one_that_has_the_whole_batch(tmp_path):
    world = {}
    exec(SHARED, world)  # noqa: S102
    whole = world["gradients"](lambda learner: learner, slice(None))  # one process: gather does nothing
    assert all(gradient.abs().max() > 1e-3 for gradient in whole.values())
    for left in in_two_processes(tmp_path):
        assert left.keys() == whole.keys()
        for name, gradient in left.items():
            torch.testing.assert_close(
                gradient, whole[name], atol=1e-6, rtol=0, msg=lambda said, name=name: f"{name}: {said}"
            )


def test_where_there_is_one_process_nothing_is_touched():
    embeddings, labels = torch.randn(3, 2, requires_grad=True), torch.arange(3)
    assert gather(embeddings, labels)[0] is embeddings
    assert gather(embeddings, labels)[1] is labels
