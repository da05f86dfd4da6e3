"""What a training loop eats: batches of pictures with their labels, from the decoded memory map.

In: the map, a draw, an augmentation. Out: (pictures uint8 tensor, labels tensor). Never: decodes a file.
"""

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lookalike.data.augment import Augment, none
from lookalike.data.sampler import Draw

Job = tuple[int, int, np.ndarray]  # epoch, number of the batch in it, its rows


class TrainingBatches:
    """An epoch's batches, drawn anew each epoch and augmented.

    Each follows from the seed, the epoch and its number alone: not from the batches before it, nor from the process that
    makes it. So any number of workers gives the same pixels in the same order, and so does an epoch begun in its middle.
    Instead of pictures it may hold features (N, W) float32, which no augmentation knows: a head learns from them alone.
    """

    def __init__(self, pictures: np.ndarray, draw: Draw, augment: Augment = none, *, workers: int = 0) -> None:
        self.draw = draw
        self.jobs = _Jobs(draw)
        self.loader = DataLoader(
            _Made(pictures, draw, augment),
            sampler=self.jobs,
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_settle,
            collate_fn=tuple,
            generator=torch.Generator(),  # its own: the loader must not draw from the stream that drop-out draws from
        )

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self.draw)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Choose which epoch the next iteration is, and with which of its batches it begins."""
        self.jobs.epoch, self.jobs.start = epoch, start

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from self.loader  # not before the first batch is asked for: until then the epoch may still be chosen


@dataclass
class _Jobs:
    """The batches to be made, in order. They are drawn in the training's own process, and told to whoever makes them."""

    draw: Draw
    epoch: int = 0
    start: int = 0

    def __iter__(self) -> Iterator[Job]:
        for number, rows in enumerate(self.draw.batches(self.epoch, self.start), self.start):
            yield self.epoch, number, rows


@dataclass(frozen=True)
class _Made(Dataset[tuple[Tensor, Tensor]]):
    """A job's batch."""

    pictures: np.ndarray  # (N, S, S, 3) uint8, a memory map; or (N, W) float32
    draw: Draw
    augment: Augment

    def __getitem__(self, job: Job) -> tuple[Tensor, Tensor]:
        epoch, number, rows = job
        random = np.random.default_rng(
            [self.draw.seed, epoch, number, 1 + self.draw.rank]
        )  # 1: not the draw's own stream
        pictures = self.augment(self.pictures[rows], random)
        return torch.from_numpy(np.ascontiguousarray(pictures)), torch.from_numpy(self.draw.labels[rows])


def _settle(_: int) -> None:
    """In a new worker: Ctrl-C is for the training to hear, and OpenCV's threads were lost when the process was forked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)


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
