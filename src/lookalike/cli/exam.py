"""What a run makes of its test, and whether a format that ships makes the same of it.

In: a run; a format's file. Out: an `Exam`; a `Paper`, how near a format came and how long a picture takes it.
Never: writes a format, or says what is near enough.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch

from lookalike import build
from lookalike.catalog import pictures as kept
from lookalike.catalog import versions
from lookalike.catalog.versions import DataSet
from lookalike.cli import places, show
from lookalike.cli.measuring import pictures, protocol_of, squares, vectors
from lookalike.cli.subject import Subject, of_run
from lookalike.features.resize import resize
from lookalike.models.embedder import Embed, Embedder
from lookalike.release import session
from lookalike.release.looking import unresized
from lookalike.release.parity import Parity, parity
from lookalike.release.speed import race
from lookalike.retrieval.evaluation import Evaluation, evaluate
from lookalike.retrieval.fusion import joined
from lookalike.settings import ConfigError, Export, Format, LookalikeError, Train
from lookalike.tracking import record

ONNX: Final[tuple[Format, ...]] = ("float32", "int8")
TIMED: Final = 16  # pictures of the test, one by one in their own sizes, then all at once as squares
FIGURES: Final = ("recall@1", "map@r")


@dataclass(frozen=True, kw_only=True)
class Exam:
    """A run's test, and what its own weights make of it today."""

    settings: Export
    subject: Subject
    trained: Train
    embedder: Embedder  # on the processor, whatever else embeds
    dataset: DataSet
    table: pl.DataFrame
    told: dict[str, Any]  # preprocessing.json
    weight: float  # of color
    color: np.ndarray | None  # (N, C) where it weighs
    shapes: np.ndarray  # (N, D)
    found: Evaluation

    @property
    def width(self) -> int:
        """Of the backbone's features."""
        side = self.embedder.preprocessing.size
        with torch.inference_mode():
            return int(self.embedder.features(torch.zeros((1, side, side, 3), dtype=torch.uint8)).shape[1])

    def bytes_of(self, table: pl.DataFrame) -> Iterator[bytes]:
        """The kept bytes of a table's pictures."""
        return (kept.read(places.pictures(self.settings.paths), sha256) for sha256 in table["sha256"])


@dataclass(frozen=True, kw_only=True)
class Paper:
    """How a format fared. None is what cannot be run on this machine."""

    path: Path
    parity: Parity | None = None
    evaluation: Evaluation | None = None
    alone: float | None = None  # milliseconds from a decoded picture of any size to its vector
    together: float | None = None  # ... a picture, of many squares at once
    faults: list[str] = field(default_factory=list)

    @property
    def megabytes(self) -> float:
        """Of the file, or of all files of the folder."""
        inside = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(one.stat().st_size for one in inside if one.is_file()) / 1e6


def of(settings: Export, folder: Path) -> Exam:
    """The exam that a finished run sets, in its folder."""
    subject = of_run(str(folder), settings.paths)
    trained, embedder = subject.measure, subject.embedder
    if not isinstance(trained, Train) or embedder is None:
        raise ConfigError(f"{folder}: not a training's run; give one that `lookalike train` made")
    dataset = versions.find(subject.dataset, places.datasets(settings.paths))
    table = pictures(dataset, "test")
    weight = _weight(trained, subject, folder)
    color = vectors(build.color(), table, subject.wanted, settings.paths) if weight else None
    shapes = subject.shapes(table)  # may take the network to a GPU, so what is exported is copied after it
    found = _evaluated(settings, trained, dataset, table, weight, color, shapes)
    _refuse_another(found, folder, settings)
    return Exam(
        settings=settings,
        subject=subject,
        trained=trained,
        embedder=copy.deepcopy(embedder).cpu().eval().requires_grad_(requires_grad=False),
        dataset=dataset,
        table=table,
        told=subject.wanted.told() | {"sha256": subject.wanted.sha256},
        weight=weight,
        color=color,
        shapes=shapes,
        found=found,
    )


def _weight(trained: Train, subject: Subject, folder: Path) -> float:
    """Of color beside shape, as the run has it."""
    if trained.color_weight != "val":
        return float(trained.color_weight or 0.0)
    if subject.color_weight is None:
        raise LookalikeError(
            f"{folder / 'metrics.json'}: does not tell the weight of color that val chose; train it again"
        )
    return subject.color_weight


def _evaluated(
    settings: Export,
    trained: Train,
    dataset: DataSet,
    table: pl.DataFrame,
    weight: float,
    color: np.ndarray | None,
    shapes: np.ndarray,
) -> Evaluation:
    """The figures of shape vectors (N, D), color beside them (N, C), by the search that a release does: the exact one."""
    asked = protocol_of(replace(trained, color_weight=weight, search=None), dataset, "test")
    beside = shapes if color is None else joined(shapes, color, weight)
    return evaluate(beside, table, asked, seed=settings.seed)


def _refuse_another(found: Evaluation, folder: Path, settings: Export) -> None:
    """A run that is looked at by other code than it was trained by may not be that run any more."""
    told = record.metrics_of(folder)
    if told.get("protocol", {}).get("search", "exact") != "exact":
        return  # it was measured by another search than a release does, so the figures cannot be held together
    apart = {
        name: (told["test"][name]["value"], found.figures[name].value)
        for name in FIGURES
        if abs(told["test"][name]["value"] - found.figures[name].value) > settings.tolerance.recall
    }
    if apart:
        says = ", ".join(f"{name} {then:.4f} then and {now:.4f} now" for name, (then, now) in apart.items())
        raise LookalikeError(
            f"{folder}: its weights do not give today what it wrote down: {says}. Other code or packages see its pictures in "
            "another way; train it again"
        )


def papers(exam: Exam, paths: Mapping[Format, Path]) -> dict[Format, Paper]:
    """Every format examined, then all of them timed side by side."""
    found = {name: _paper(exam, name, path) for name, path in paths.items()}
    alone, together = _times(exam, {name: paths[name] for name in ONNX if name in paths})
    return {name: replace(one, alone=alone.get(name), together=together.get(name)) for name, one in found.items()}


def _paper(exam: Exam, name: Format, path: Path) -> Paper:
    if name == "phone":
        return Paper(path=path)
    shapes = _by_squares(exam, path) if name == "weights" else _by_bytes(exam, name, path)
    measured = _evaluated(exam.settings, exam.trained, exam.dataset, exam.table, exam.weight, exam.color, shapes)
    return Paper(
        path=path,
        parity=parity(shapes, exam.shapes, measured, exam.found, seed=exam.settings.seed),
        evaluation=measured,
    )


def _by_bytes(exam: Exam, name: Format, path: Path) -> np.ndarray:
    """The test's vectors by a network that resizes, each picture in its own size (N, D)."""
    from lookalike.release import formats

    look = session.embedder(path, threads=exam.settings.threads) if name in ONNX else formats.read_program(path)
    shapes = []
    with show.progress(f"{name}: parity", len(exam.table)) as moved:
        for data in exam.bytes_of(exam.table):
            shapes.append(look(unresized(data, exam.told)[None])[0])
            moved(1)
    return np.stack(shapes).astype(np.float32)


def _by_squares(exam: Exam, path: Path) -> np.ndarray:
    """The test's vectors by weights that PyTorch loads: they bring no resize, so they are shown what a training is (N, D)."""
    from lookalike.release import formats

    look = formats.on_arrays(formats.read_weights(exam.embedder, path))
    return vectors(look, exam.table, exam.subject.wanted, exam.settings.paths)


def _times(exam: Exam, paths: Mapping[Format, Path]) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds a picture alone and together of what a server may load, beside PyTorch itself on as many threads."""
    from lookalike.release import formats

    few = exam.table[:TIMED]
    alone = [unresized(data, exam.told)[None] for data in exam.bytes_of(few)]
    together = [np.array(squares(few, exam.subject.wanted, exam.settings.paths))]
    looks: dict[str, Embed] = {
        name: session.embedder(path, threads=exam.settings.threads) for name, path in paths.items()
    }
    eager = formats.on_arrays(exam.embedder)
    return race({**looks, "weights": _resized(exam, eager)}, alone), race({**looks, "weights": eager}, together)


def _resized(exam: Exam, look: Embed) -> Embed:
    """A network that wants squares, with the resize that everybody who has one must do first."""
    said = exam.subject.wanted
    square: Callable[[np.ndarray], np.ndarray] = partial(
        resize, size=said.size, how=said.resize, interpolation=said.interpolation
    )
    return lambda pictures: look(np.stack([square(one) for one in pictures]))
