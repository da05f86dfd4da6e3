"""Cross-batch memory: the embeddings of earlier batches serve as more twins and strangers.

In: a loss, and one batch after another. Out: the loss of each batch against itself and what is remembered.
Never: sends a gradient into the past, or forgets on resume: all that it knows is in its state_dict.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lookalike.settings import ConfigError


class CrossBatchMemory(nn.Module):
    """A loss with a memory of the last `size` embeddings (XBM: Wang et al. 2020, arXiv:1912.06798).

    For the first `warmup_steps` batches the loss sees the batch alone: embeddings move so fast at first that a remembered one
    would mislead. The memory fills meanwhile, newest over oldest, so that it is ready, and as fresh as it can be, on the step
    that first uses it. A memory is told labels, not pictures: one that is drawn late in an epoch and early in the next meets
    its own earlier self as a twin. The smaller `size` beside the pictures of an epoch, the fewer do; beyond it, all do.
    """

    embeddings: Tensor  # (size, D)
    labels: Tensor  # (size,)
    cursor: Tensor  # where the next embedding goes
    filled: Tensor  # how many are remembered
    steps: Tensor  # batches seen

    def __init__(self, loss: Callable[..., Tensor], *, size: int, dimensions: int, warmup_steps: int) -> None:
        super().__init__()
        if not getattr(loss, "takes_others", True):
            raise ConfigError(
                f"memory.size is {size}, but this loss cannot compare a batch with earlier ones; set memory.size=0"
            )
        self.loss, self.size, self.warmup_steps = loss, size, warmup_steps
        self.raw = bool(getattr(loss, "raw", False))
        self.register_buffer("embeddings", torch.zeros(size, dimensions))
        self.register_buffer("labels", torch.full((size,), -1))
        for count in ("cursor", "filled", "steps"):  # buffers, not plain numbers: a checkpoint keeps buffers alone
            self.register_buffer(count, torch.tensor(0))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, which is then remembered. embeddings (B, D), labels (B,) -> scalar."""
        loss = self._against_memory(embeddings, labels) if self._is_warm() else self.loss(embeddings, labels)
        self._remember(embeddings.detach(), labels)
        return loss

    def _is_warm(self) -> bool:
        return int(self.steps) >= self.warmup_steps and int(self.filled) > 0

    def _against_memory(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        filled = int(self.filled)
        others = torch.cat([embeddings, self.embeddings[:filled].to(embeddings.dtype)])
        return self.loss(embeddings, labels, others, torch.cat([labels, self.labels[:filled]]))

    def _remember(self, embeddings: Tensor, labels: Tensor) -> None:
        newest, known = embeddings[-self.size :], labels[-self.size :]
        places = (self.cursor + torch.arange(len(newest), device=labels.device)) % self.size
        self.embeddings[places] = newest.to(self.embeddings.dtype)
        self.labels[places] = known
        self.cursor.copy_((self.cursor + len(newest)) % self.size)
        self.filled.copy_((self.filled + len(newest)).clamp_max(self.size))
        self.steps += 1
