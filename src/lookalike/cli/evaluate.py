"""`lookalike evaluate`: measures a run, or an untrained embedder, on a data set."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lookalike import build, files
from lookalike.catalog import versions
from lookalike.cli import door, places, show
from lookalike.cli.measuring import measure, neighbours_of, pictures, protocol_of, told
from lookalike.models.embedder import Embedder
from lookalike.settings import Choice, Evaluate, Measure, Pixels, Train
from lookalike.tracking import record
from lookalike.training.fit import load_weights


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: an embedder with its pixels, the data set and match it brings, and where results go."""

    name: str
    embedder: Embedder
    pixels: Pixels
    dataset: str
    measure: Measure
    folder: Path


def run(settings: Evaluate) -> int:
    """Embed, search, score; say and write it."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    subject = _untrained(settings, settings.embedder) if settings.embedder else _of_run(settings)
    dataset = versions.find(settings.dataset or subject.dataset, places.datasets(settings.paths))
    table = pictures(dataset, settings.split)
    protocol = protocol_of(_asked(settings, subject.measure), dataset, settings.split)
    measured = measure(subject.embedder, table, subject.pixels, settings.paths, protocol, seed=settings.seed)
    show.evaluation(f"{subject.name} on {dataset.label}, {settings.split}", measured)
    views = filter(None, (protocol.query_view, protocol.gallery_view))
    where = subject.folder / "-".join([dataset.name, dataset.version, settings.split, protocol.match, *views])
    record.write_table(where / "per_query.parquet", measured.table)
    files.write_bytes(where / "neighbours.png", neighbours_of(measured, table, subject.pixels, settings.paths))
    files.write_json(where / "metrics.json", told(measured) | {"dataset": dataset.label, "subject": subject.name})
    show.facts("written", {"folder": where, "picture": where / "neighbours.png"})
    return 0


def _asked(settings: Evaluate, own: Measure) -> Measure:
    """What is asked for; what is not said is the run's own."""
    return Measure(
        match=settings.match or own.match,
        query_view=settings.query_view or own.query_view,
        gallery_view=settings.gallery_view or own.gallery_view,
    )


def _of_run(settings: Evaluate) -> Subject:
    folder = record.find(settings.run, Path(settings.paths.runs))
    trained = door.read(Train, record.settings_of(folder), build.TABLES)
    bare = replace(trained.backbone, options={**trained.backbone.options, "weights": "random"})  # its own come below
    embedder = build.embedder(bare, trained.head, trained.pixels)
    checkpoint, sha256 = record.checkpoint_of(folder)
    load_weights(embedder, checkpoint, sha256=sha256)
    return Subject(
        name=f"run {folder.parent.name}/{folder.name}",
        embedder=embedder,
        pixels=trained.pixels,
        dataset=record.dataset_of(folder),
        measure=trained,
        folder=folder / "evaluations",
    )


def _untrained(settings: Evaluate, said: Choice) -> Subject:
    pixels = settings.pixels or Pixels()
    look = f"{said.name}-{pixels.size}-{pixels.resize}{'-gray' if pixels.gray else ''}"
    return Subject(
        name=f"untrained {look}",
        embedder=build.untrained(said, pixels),
        pixels=pixels,
        dataset=settings.dataset,
        measure=Measure(),
        folder=Path(settings.paths.runs) / "untrained" / look,
    )
