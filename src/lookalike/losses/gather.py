"""One batch out of the batches of many processes, for losses that compare pictures with one another.

In: each process's embeddings and labels. Out: those of all, the same on each. Never: needs a group of processes to work.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def gather(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The embeddings and labels of all processes, in order of rank; untouched where there is one process.

    embeddings (B, D), labels (B,) -> (W B, D), (W B,). B must be the same on every process.

    Each process then computes the loss of the *whole* batch. DistributedDataParallel averages the gradients of the W processes,
    so what it leaves must be W times a process's share. The backward pass therefore adds up, over the processes, the gradients
    with respect to a process's own embeddings: W equal gradients, where the loss is the same on all. After DDP's average that is
    the gradient of one process with the whole batch, to rounding. So: the mean loss as it is, never times W, nothing detached.
    (Gathering without a gradient, or without the sum, learns at 1/W of the rate.) The loss's own weights need nothing: their
    gradients are whole on each process, and the average leaves them so.
    """
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return embeddings, labels
    every: Tensor = _Gather.apply(embeddings)
    return every, _gathered(labels)


class _Gather(torch.autograd.Function):
    """All processes' rows forward; the sum of their gradients for one's own rows backward."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = len(rows)
        return _gathered(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()  # autograd still owns what it handed over
        dist.all_reduce(total)
        begin = dist.get_rank() * ctx.rows
        return total[begin : begin + ctx.rows]


def _gathered(rows: Tensor) -> Tensor:
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
