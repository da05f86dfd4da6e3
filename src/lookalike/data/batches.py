"""What a training loop eats: batches of pictures with their labels, from the decoded memory map.

In: the map, the labels, a sampler, an augmentation. Out: (pictures uint8 tensor, labels tensor). Never: decodes a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lookalike.data.augment import Augment
from lookalike.data.sampler import pictures_of, product_batches


@dataclass
class TrainingBatches:
    """P x K batches, drawn anew each epoch. Iterating is one epoch; the epoch and the seed decide all of it."""

    pictures: np.ndarray  # (N, S, S, 3) uint8, a memory map
    labels: np.ndarray  # (N,)
    augment: Augment
    products: int
    views: int
    seed: int
    epoch: int = 0

    def __len__(self) -> int:
        return len(pictures_of(self.labels)) // self.products

    def set_epoch(self, epoch: int) -> None:
        """Choose which epoch the next iteration is."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        random = np.random.default_rng([self.seed, self.epoch, 1])  # 1: not the sampler's stream
        for rows in product_batches(
            self.labels, products=self.products, views=self.views, seed=self.seed, epoch=self.epoch
        ):
            pictures = self.augment(self.pictures[rows], random)
            yield torch.from_numpy(np.array(pictures)), torch.from_numpy(self.labels[rows])


@dataclass(frozen=True)
class PlainBatches:
    """Every picture once, in order: what validation eats."""

    pictures: np.ndarray
    size: int = 64

    def __len__(self) -> int:
        return -(-len(self.pictures) // self.size)

    def __iter__(self) -> Iterator[Tensor]:
        for start in range(0, len(self.pictures), self.size):
            yield torch.from_numpy(np.array(self.pictures[start : start + self.size]))  # a copy: the map is read-only
