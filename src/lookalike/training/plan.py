"""What a training would be, before it is one.

In: the learner, the settings, the tables. Out: facts in words. Never: reads a picture or writes a file.
"""

import time
from collections.abc import Mapping

import numpy as np
import polars as pl
import torch

from lookalike.data.sampler import pictures_of
from lookalike.settings import Train
from lookalike.training.module import MetricLearner

PROBES = 3  # steps timed on random pixels; the first one warms up and does not count


def plan(
    learner: MetricLearner, settings: Train, tables: Mapping[str, pl.DataFrame], labels: np.ndarray
) -> dict[str, str]:
    """Pictures, products, batches, steps, memory and rough minutes."""
    batch = settings.batch.products * settings.batch.views
    usable = pictures_of(labels)
    steps = len(usable) // settings.batch.products * settings.epochs
    seconds = _step_seconds(learner, batch, settings.pixels.size)
    held = sum(len(table) for table in tables.values()) * settings.pixels.size**2 * 3 / 1e6
    parameters = sum(one.numel() for one in learner.parameters())
    return {
        **{
            split: f"{len(table)} pictures of {table['product'].n_unique()} products" for split, table in tables.items()
        },
        "learns from": f"{len(usable)} {settings.match}s with two pictures or more ({sum(map(len, usable))} pictures)",
        "batches": f"{settings.batch.products} x {settings.batch.views} = {batch} pictures, {steps // settings.epochs} an epoch",
        "steps": f"{steps} in {settings.epochs} epochs",
        "memory": f"{held:.0f} MB of decoded pictures on disk (mapped), {parameters * 16 / 1e6:.0f} MB of weights and optimiser",
        "time": f"about {steps * seconds / 60:.1f} minutes ({seconds:.2f} s a step, measured now on random pixels)",
    }


def _step_seconds(learner: MetricLearner, batch: int, size: int) -> float:
    pixels = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8)
    products = torch.arange(batch) // 2
    seconds = []
    for _ in range(PROBES):
        began = time.perf_counter()
        torch.autograd.backward(learner.loss(learner.embedder(pixels), products))
        learner.zero_grad()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))
