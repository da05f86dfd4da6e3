"""What a training is put together from.

In: settings, a data set's tables. Out: ready-made parts. Never: learns, or writes a run's folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lookalike import build
from lookalike.catalog.versions import DataSet
from lookalike.cli.measuring import Score, features, protocol_of, score_of, squares
from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.data.sampler import Draw
from lookalike.models.embedder import Embedder
from lookalike.retrieval.evaluation import check
from lookalike.retrieval.protocol import coded, matched
from lookalike.settings import DataError, Train
from lookalike.training.module import MetricLearner

Tables = Mapping[str, pl.DataFrame]  # by split, one row a picture


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a training needs."""

    embedder: Embedder
    learner: MetricLearner
    score: Score
    labels: np.ndarray  # (N,) of the training pictures: equal ones are twins, -1 nobody's
    draw: Draw
    report: str  # which of a file's weights did not fit


def check_tables(settings: Train, dataset: DataSet, tables: Tables) -> None:
    """Refuse now what would be refused after the training."""
    labels = labels_of(tables["train"], settings)
    if settings.epochs and not len(_draw(settings, tables["train"], labels)):
        groups, said = int((np.bincount(labels[labels >= 0]) > 1).sum()), "learn" if settings.learn else "match"
        mend = (
            f"give batch.products={groups} at most"
            if groups > 1
            else f"{said} by something wider, such as {said}=style"
        )
        raise DataError(
            f"batch.products={settings.batch.products}: split train has {groups} different values of {taught(settings)} with "
            f"two pictures or more, too few for one batch; {mend}"
        )
    for split in ("val", "test"):
        check(tables[split], protocol_of(settings, dataset, split))


def taught(settings: Train) -> str:
    """What makes twins while learning."""
    return settings.learn or settings.match


def labels_of(table: pl.DataFrame, settings: Train) -> np.ndarray:
    """What makes twins among the pictures while learning, as whole numbers (N,), -1 for none."""
    return coded(matched(table, taught(settings), setting="learn" if settings.learn else "match"))


def parts(settings: Train, dataset: DataSet, tables: Tables) -> Parts:
    """Everything that learns, drawn from the current seed."""
    made = build.embedder(settings.backbone, settings.head, settings.pixels, mirror=settings.mirror)
    embedder, labels = made.embedder, labels_of(tables["train"], settings)
    draw = _draw(settings, tables["train"], labels)
    loss = build.loss(
        settings.loss,
        settings.miner,
        dimensions=made.dimensions,
        classes=int(labels.max(initial=-1)) + 1,
        memory=settings.memory.size,
        warmup_steps=settings.memory.warmup * len(draw),
    )
    protocol = protocol_of(settings, dataset, "val")
    score = score_of(tables["val"], protocol, embedder.preprocessing, settings.paths)
    keeps = settings.optimiser.frozen_statistics and not made.is_random
    # what neither learns nor is mixed keeps its features
    rate = settings.optimiser.backbone_lr if settings.epochs or settings.soup else 0.0
    learner = MetricLearner(
        embedder,
        loss,
        score,
        replace(settings.optimiser, frozen_statistics=keeps, backbone_lr=rate),
        average=settings.average,
        from_features=from_features(settings),
    )
    return Parts(embedder=embedder, learner=learner, score=score, labels=labels, draw=draw, report=made.report)


def from_features(settings: Train) -> bool:
    """Whether the head alone learns, from features that need be computed but once."""
    return not settings.optimiser.backbone_lr and settings.augment.name == "none"


def batches(settings: Train, tables: Tables, ready: Parts) -> tuple[TrainingBatches, PlainBatches]:
    """What the training eats, and what validation does: pictures, or the features of a frozen backbone."""

    def given(split: str) -> np.ndarray:
        if from_features(settings):
            return features(ready.embedder, tables[split], settings.paths)
        return squares(tables[split], ready.embedder.preprocessing, settings.paths)

    augment = build.augmentation(settings.augment)
    training = TrainingBatches(given("train"), ready.draw, augment, workers=settings.batch.workers)
    return training, PlainBatches(given("val"))


def _draw(settings: Train, table: pl.DataFrame, labels: np.ndarray) -> Draw:
    said = settings.batch
    return Draw(
        labels=labels,
        sampler=said.sampler,
        products=said.products,
        views=said.views,
        apart=None if taught(settings) == "product" else coded(table["product"].to_numpy()),
        balance=_balance(said.balance, table) if said.balance else None,
        seed=settings.seed,
    )


def _balance(column: str, table: pl.DataFrame) -> np.ndarray:
    """What values are to come equally often, as whole numbers (N,)."""
    if column not in table.columns:
        there = ", ".join(sorted(table.columns))
        raise DataError(f"batch.balance={column}: this data set has no such column; there are {there}")
    return coded(matched(table, column))
