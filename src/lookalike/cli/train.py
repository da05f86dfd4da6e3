"""`lookalike train`: learn on train, choose on val, measure once on test, leave a run folder.

Started again after it was stopped or killed, the same command goes on where it was.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch

from lookalike import build, files
from lookalike.catalog import versions
from lookalike.catalog.versions import DataSet
from lookalike.cli import finishing, learning, show, soup, watch
from lookalike.cli.learning import Parts, Tables
from lookalike.cli.measuring import (
    features,
    neighbours_of,
    picture_of,
    pictures,
    products_of,
    products_told,
    twins_of,
)
from lookalike.cli.places import datasets
from lookalike.cli.tested import Tested, cost_of_test, tested
from lookalike.models.checkpoint import weights_of
from lookalike.reporting import run_page
from lookalike.retrieval.evaluation import Evaluation
from lookalike.settings import ConfigError, DiskFullError, LookalikeError, Train
from lookalike.tracking import mirror, record
from lookalike.tracking.mirror import Mirror
from lookalike.tracking.record import Record
from lookalike.training.arithmetic import WAYS, Way
from lookalike.training.checkpoints import LAST, step_of, write
from lookalike.training.fit import Fitted, fit
from lookalike.training.plan import plan
from lookalike.training.probe import quickest

BEST = Path("checkpoints") / "best.ckpt"


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What a training came to, before it is measured."""

    baseline: Mapping[str, Any]  # what the untrained backbone gives; empty where no epoch was asked for
    fitted: Fitted | None  # None where no epoch was asked for
    finished: Mapping[str, Any]  # the closed form, and the share of the trained weights
    minutes: float
    color_weight: float  # the one that was said, or that val chose


def run(settings: Train) -> int:
    """Train, or say what training would be."""
    dataset = versions.find(settings.dataset, datasets(settings.paths))
    runs = Path(settings.paths.runs)
    eaten = soup.runs_of(settings, dataset)
    done = None if settings.again or eaten else record.same_run(runs, settings, dataset.label)
    if done:
        show.facts("this very run stands already", {"folder": done, "to repeat it": "again=true"})
        return 0
    _one_process()
    mirrored = mirror.ready(settings)
    tables = {split: pictures(dataset, split) for split in ("train", "val", "test")}
    learning.check_tables(settings, dataset, tables)
    lightning.seed_everything(settings.seed, verbose=False)
    torch.set_num_threads(settings.threads)
    ready = learning.parts(settings, dataset, tables)
    for words in filter(None, (ready.report, mirrored.why)):
        show.err.print(words, markup=False)
    if settings.plan:
        way = "float32" if settings.precision == "probe" else settings.precision
        show.facts("plan (nothing was done)", plan(ready.learner, settings, tables, ready.draw, way))
        return 0
    return _train(settings, dataset, tables, ready, mirrored, eaten)


def _one_process() -> None:
    """Several would each leave a run folder of their own, with the same name."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "started as one of several processes (WORLD_SIZE); the command trains in one: start it by itself"
        )


def _train(
    settings: Train, dataset: DataSet, tables: Tables, ready: Parts, mirrored: Mirror, eaten: tuple[Path, ...]
) -> int:
    book, new = _opened(settings, dataset)
    try:
        with mirrored.of(book.folder):
            learnt = _learn(settings, dataset, tables, ready, book, mirrored, eaten)
            settled = replace(settings, color_weight=learnt.color_weight)
            measured = {split: tested(settled, dataset, tables, ready, split) for split in ("val", "test")}
            test = measured["test"].evaluation
            cost = cost_of_test(settled, measured["test"], tables["test"], ready)
            products = products_told(products_of(measured["test"].found, tables["test"], test.protocol))
            costs = {"cost": {**_spent(settings, learnt), **cost}}
            metrics = _metrics(measured, learnt, book) | products | costs
            _draw(settings, book, test, tables, ready, metrics)
            book.finish(metrics, test.table)
            seen = picture_of(tables["test"], ready.embedder.preprocessing, settings.paths)
            mirrored.finish(metrics, test.table, dataset.manifest, seen, twins_of(tables["test"], settings.match))
    except DiskFullError:
        book.abandon()  # a run that cannot be written is of no use, and takes the room that is missing
        raise
    except LookalikeError:
        if new and not step_of(book.folder / "checkpoints" / LAST):
            book.abandon()  # nothing was learnt that could be gone on with
        raise
    show.evaluation(f"{settings.name} on {dataset.label}, test", test)
    show.facts("run", _where(book.folder, learnt, settings, mirrored))
    return 0


def _opened(settings: Train, dataset: DataSet) -> tuple[Record, bool]:
    """The folder of this very run that was stopped or killed, its history cut back to its checkpoint; else a new one."""
    runs = Path(settings.paths.runs)
    found = record.unfinished(runs, settings, dataset.label)
    if found is None:
        return record.start(runs, settings.name, settings, dataset=dataset.label, seed=settings.seed), True
    last = found / "checkpoints" / LAST
    step, minutes = step_of(last), _minutes_until(last, found)
    book = record.reopen(found)
    book.rewind(step)
    book.note(minutes_before=minutes)
    show.err.print(f"going on with {found} from step {step}; remove that folder to begin anew", markup=False)
    return book, False


def _minutes_until(last: Path, folder: Path) -> float:
    """What the processes before this one worked on the run, until the checkpoint that is gone on from."""
    told = record.environment_of(folder)
    began = datetime.fromisoformat((told.get("resumed") or [told["started"]])[-1]).timestamp()
    ended = last.stat().st_mtime if last.exists() else began
    return float(told.get("minutes_before", 0.0) + max(0.0, ended - began) / 60)


def _learn(
    settings: Train,
    dataset: DataSet,
    tables: Tables,
    ready: Parts,
    book: Record,
    mirrored: Mirror,
    eaten: tuple[Path, ...],
) -> Learnt:
    """Begin, fit, finish, and put the weights that will be measured into best.ckpt."""
    baseline = finishing.baseline(settings, dataset, ready, tables) if settings.epochs else {}
    if ready.learner.frozen or settings.start:  # what is computed once for many runs is no run's cost
        for split in ("train", "val"):
            features(ready.embedder, tables[split], settings.paths)
    began = time.monotonic()
    start = finishing.begin(settings, ready, tables)
    if start:
        show.err.print(f"start: {start}")
    before = finishing.before(settings, ready.embedder)
    fitted = _fit(settings, tables, ready, book, mirrored) if settings.epochs else None
    mixed = soup.souped(settings, ready, tables, eaten) if eaten else None
    trained = weights_of(fitted.trained) if fitted else mixed.state if mixed else ready.embedder.state_dict()
    finished = finishing.finish(settings, ready, trained, before, tables)
    color, told = _color(settings, dataset, tables, ready)
    write(book.folder / BEST, {"state_dict": ready.embedder.cpu().state_dict()})
    minutes = (time.monotonic() - began) / 60 + record.environment_of(book.folder).get("minutes_before", 0.0)
    begun = {"start": "" if mixed and not settings.blend else start}  # a soup's head is its own
    return Learnt(
        baseline=baseline,
        fitted=fitted,
        finished={**begun, **soup.told(mixed), **finished, **told},
        minutes=minutes + soup.minutes_of(eaten),
        color_weight=color,
    )


def _color(settings: Train, dataset: DataSet, tables: Tables, ready: Parts) -> tuple[float, dict[str, Any]]:
    """The weight of color, and how val chose it, where it was asked to."""
    if settings.color_weight != "val":
        return settings.color_weight or 0.0, {}
    weight, scores = finishing.weight_of_color(settings, dataset, ready, tables)
    return weight, {"color weight": weight, "val map@r by color weight": scores}


def _fit(settings: Train, tables: Tables, ready: Parts, book: Record, mirrored: Mirror) -> Fitted:
    training, validation = learning.batches(settings, tables, ready)

    def log(scalars: Mapping[str, float], step: int, epoch: int) -> None:
        book.log(scalars, step, epoch)
        mirrored.log(scalars, step, epoch)

    return fit(
        ready.learner,
        training,
        validation,
        epochs=settings.epochs,
        folder=book.folder,
        log=log,
        say=partial(show.err.print, style="yellow", markup=False),
        way=_way(settings, ready, book),
        patience=settings.patience,
        save_every=settings.save_every,
        compiled=settings.compile,
        margin=None
        if settings.memory.size
        else build.margin(settings.loss),  # a memory holds harder strangers than a batch
        watchers=watch.callbacks(),
    )


def _way(settings: Train, ready: Parts, book: Record) -> Way:
    """How to compute: as is said, or as a probe finds quickest. A run that goes on keeps to what it began with."""
    if settings.precision != "probe":
        return WAYS[settings.precision]
    told = record.environment_of(book.folder)
    if "arithmetic" not in told:
        found = quickest(ready.learner, ready.draw)
        book.note(arithmetic=found.way, probed=found.seconds)
        show.err.print(f"probe: {found.says}", markup=False)
        return WAYS[found.way]
    return WAYS[told["arithmetic"]]


def _spent(settings: Train, learnt: Learnt) -> dict[str, float]:
    return {"training_minutes": learnt.minutes, "threads": settings.threads}


def _metrics(measured: Mapping[str, Tested], learnt: Learnt, book: Record) -> dict[str, Any]:
    fitted = learnt.fitted
    chosen = {"epoch": fitted.best_epoch + 1, "epochs": fitted.epochs, "value": fitted.best_score} if fitted else {}
    return {
        **measured["val"].evaluation.told(),
        **measured["test"].evaluation.told(),
        **({"baseline": learnt.baseline} if learnt.baseline else {}),
        "chosen": {"by": "val map@r", **chosen, **learnt.finished},
        "checkpoint": {"file": str(BEST), "sha256": files.sha256_of(book.folder / BEST)},
    }


def _draw(
    settings: Train, book: Record, test: Evaluation, tables: Tables, ready: Parts, metrics: Mapping[str, Any]
) -> None:
    sheet = neighbours_of(test, tables["test"], ready.embedder.preprocessing, settings.paths)
    files.write_bytes(book.folder / "neighbours.png", sheet)
    history, environment = record.history_of(book.folder), record.environment_of(book.folder)
    page = run_page.render(f"{settings.name} / {book.folder.name}", metrics, history, environment, sheet)
    files.write_text(book.folder / "report.html", page)


def _where(folder: Path, learnt: Learnt, settings: Train, mirrored: Mirror) -> dict[str, Any]:
    fitted, finished = learnt.fitted, learnt.finished
    baseline = learnt.baseline and learnt.baseline["test"]["recall@1"]
    epochs = f"epoch {fitted.best_epoch + 1} of {settings.epochs}, val map@r {fitted.best_score:.3f}" if fitted else ""
    return {
        **({"chosen": epochs} if epochs else {}),
        **({"soup": _soup(finished)} if "soup" in finished else {}),
        **({"finish": _finish(finished)} if finished["finish"] else {}),
        **({"weight of color": f"{learnt.color_weight:g}, chosen by val"} if "color weight" in finished else {}),
        **({"to be beaten": f"{learnt.baseline['what']}: test recall@1 {_figure(baseline)}"} if baseline else {}),
        "trained": f"{learnt.minutes:.1f} minutes",
        "folder": folder,
        "figures": folder / "metrics.json",
        "report": folder / "report.html",
        "picture": folder / "neighbours.png",
        **({"W&B": mirrored.where} if mirrored.where else {}),
        **({"W&B, not all": mirrored.why} if mirrored.why else {}),
    }


def _figure(told: Mapping[str, Any]) -> str:
    return f"{told['value']:.3f} ({told['ci95'][0]:.3f} to {told['ci95'][1]:.3f})"


def _soup(told: Mapping[str, Any]) -> str:
    """What is in it, and what that gains over the best of its runs alone."""
    inside, alone = told["soup"]["inside"], told["soup"]["val map@r alone"]
    best = f"{inside[0]} alone has val map@r {alone[inside[0]]:.3f}"
    if len(inside) == 1:
        return f"{best}; no other helps it"
    return f"{len(inside)} of {len(alone)} runs: val map@r {told['val map@r']:.3f}; {best}"


def _finish(told: Mapping[str, Any]) -> str:
    value, without = told["val map@r"], told["val map@r without finish"]
    worse = "; it does harm here: leave finish out" if value < without else ""
    return f"{told['finish']}, val map@r {value:.3f} ({without:.3f} without it{worse})"
