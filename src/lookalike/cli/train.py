"""`lookalike train`: learn on train, choose on val, measure once on test, leave a run folder."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytorch_lightning as lightning
import torch

from lookalike import build, files
from lookalike.catalog import versions
from lookalike.catalog.versions import DataSet
from lookalike.cli import show, watch
from lookalike.cli.measuring import measure, neighbours_of, pictures, protocol_of, squares, told
from lookalike.cli.places import datasets
from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.data.sampler import pictures_of
from lookalike.reporting import run_page
from lookalike.retrieval.evaluation import Evaluation, check, recall_at_1
from lookalike.retrieval.protocol import coded, matched
from lookalike.settings import DataError, DiskFullError, Train
from lookalike.tracking import record
from lookalike.training.fit import Fitted, fit, load_weights
from lookalike.training.module import MetricLearner
from lookalike.training.plan import plan

Tables = Mapping[str, pl.DataFrame]  # by split, one row a picture


def run(settings: Train) -> int:
    """Train, or say what training would be."""
    dataset = versions.find(settings.dataset, datasets(settings.paths))
    runs = Path(settings.paths.runs)
    done = None if settings.again else record.same_run(runs, settings, dataset.label)
    if done:
        show.facts("this very run stands already", {"folder": done, "to repeat it": "again=true"})
        return 0
    tables = {split: pictures(dataset, split) for split in ("train", "val", "test")}
    _check(settings, dataset, tables)
    lightning.seed_everything(settings.seed, verbose=False)
    torch.set_num_threads(settings.threads)
    learner = _learner(settings, dataset, tables["val"])
    if settings.plan:
        show.facts("plan (nothing was done)", plan(learner, settings, tables, _labels(tables["train"], settings)))
        return 0
    return _train(settings, dataset, tables, learner)


def _train(settings: Train, dataset: DataSet, tables: Tables, learner: MetricLearner) -> int:
    batches = _batches(settings, tables["train"])
    val = PlainBatches(squares(tables["val"], settings.pixels, settings.paths))
    book = record.start(Path(settings.paths.runs), settings.name, settings, dataset=dataset.label, seed=settings.seed)
    began = time.monotonic()
    try:
        fitted = fit(
            learner, batches, val, epochs=settings.epochs, folder=book.folder, log=book.log, watchers=watch.callbacks()
        )
        minutes = (time.monotonic() - began) / 60
        load_weights(learner.embedder, fitted.best, sha256=fitted.sha256)
        measured = {split: _measured(settings, dataset, tables[split], learner, split) for split in ("val", "test")}
        metrics = _metrics(settings, measured, fitted, minutes)
        _draw(settings, book, measured["test"], tables["test"], metrics)
        book.finish(metrics, measured["test"].table)
    except DiskFullError:
        book.abandon()  # a run that cannot be written is of no use, and takes the room that is missing
        raise
    show.evaluation(f"{settings.name} on {dataset.label}, test", measured["test"])
    show.facts("run", _where(book.folder, fitted, minutes, settings))
    return 0


def _check(settings: Train, dataset: DataSet, tables: Tables) -> None:
    """Refuse now what would be refused after the training."""
    groups = len(pictures_of(_labels(tables["train"], settings)))
    if groups < settings.batch.products:
        mend = (
            f"give batch.products={groups} at most" if groups > 1 else "match by something wider, such as match=style"
        )
        raise DataError(
            f"batch.products={settings.batch.products}: split train has {groups} different values of {settings.match} with "
            f"two pictures or more, too few for one batch; {mend}"
        )
    for split in ("val", "test"):
        check(tables[split], protocol_of(settings, dataset, split))


def _learner(settings: Train, dataset: DataSet, val: pl.DataFrame) -> MetricLearner:
    protocol = protocol_of(settings, dataset, "val")
    return MetricLearner(
        build.embedder(settings.backbone, settings.head, settings.pixels),
        build.loss(settings.loss),
        lambda vectors: recall_at_1(vectors, val, protocol),
        settings.optimiser,
    )


def _labels(table: pl.DataFrame, settings: Train) -> np.ndarray:
    """What makes twins among the training pictures, as whole numbers (N,), -1 for none."""
    return coded(matched(table, settings.match))


def _batches(settings: Train, table: pl.DataFrame) -> TrainingBatches:
    return TrainingBatches(
        squares(table, settings.pixels, settings.paths),
        _labels(table, settings),
        build.augmentation(settings.augment),
        products=settings.batch.products,
        views=settings.batch.views,
        seed=settings.seed,
    )


def _measured(settings: Train, dataset: DataSet, table: pl.DataFrame, learner: MetricLearner, split: str) -> Evaluation:
    protocol = protocol_of(settings, dataset, split)
    return measure(learner.embedder, table, settings.pixels, settings.paths, protocol, seed=settings.seed)


def _metrics(settings: Train, measured: Mapping[str, Evaluation], fitted: Fitted, minutes: float) -> dict[str, Any]:
    return {
        **told(measured["val"]),
        **told(measured["test"]),
        "chosen": {"by": "val recall@1", "epoch": fitted.best_epoch + 1, "value": fitted.best_score},
        "checkpoint": {"file": "checkpoints/best.ckpt", "sha256": fitted.sha256},
        "cost": {"training_minutes": minutes, "threads": settings.threads},
    }


def _draw(
    settings: Train, book: record.Record, test: Evaluation, table: pl.DataFrame, metrics: Mapping[str, Any]
) -> None:
    sheet = neighbours_of(test, table, settings.pixels, settings.paths)
    files.write_bytes(book.folder / "neighbours.png", sheet)
    history = [json.loads(line) for line in (book.folder / "history.jsonl").read_text().splitlines()]
    environment = json.loads((book.folder / "environment.json").read_text())
    page = run_page.render(f"{settings.name} / {book.folder.name}", metrics, history, environment, sheet)
    files.write_text(book.folder / "report.html", page)


def _where(folder: Path, fitted: Fitted, minutes: float, settings: Train) -> dict[str, Any]:
    return {
        "chosen": f"epoch {fitted.best_epoch + 1} of {settings.epochs}, val recall@1 {fitted.best_score:.3f}",
        "trained": f"{minutes:.1f} minutes",
        "folder": folder,
        "figures": folder / "metrics.json",
        "report": folder / "report.html",
        "picture": folder / "neighbours.png",
    }
