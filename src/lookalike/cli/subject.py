"""What is measured: a run's network, one that learnt nothing here, or vectors that another program made.

In: the words of a verb. Out: a `Subject`. Never: embeds before it is asked to.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lookalike import build
from lookalike.cli import door
from lookalike.cli.measuring import vectors
from lookalike.models.checkpoint import load_weights
from lookalike.models.embedder import Embed, Embedder, as_callable
from lookalike.models.preprocessing import Preprocessing
from lookalike.settings import Choice, ConfigError, Evaluate, Measure, Paths, Pixels, Train
from lookalike.tracking import record

COLORS: Final = Choice(name="color_histogram")
Shapes = Callable[[pl.DataFrame], np.ndarray]  # a table of pictures -> their unit vectors (N, D)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: how it embeds, what it wants of a picture, the data set and match it brings, where results go."""

    name: str
    shapes: Shapes
    wanted: Preprocessing
    dataset: str
    measure: Measure
    folder: Path
    facts: dict[str, Any]  # what metrics.json says of how it came by its vectors
    embed: Embed | None  # None where another program embedded
    embedder: Embedder | None  # the network, where there is one
    minutes: float | None = 0.0  # that it learnt; None where nobody knows
    color_weight: float | None = None  # that its own val chose
    learnt_from: str = ""  # the data set version that a run knows already


def of_run(run: str, paths: Paths) -> Subject:
    """A finished run, with the weights that it kept."""
    folder = record.find(run, Path(paths.runs))
    trained = door.read(Train, record.settings_of(folder), build.TABLES)
    bare = replace(trained.backbone, options={**trained.backbone.options, "weights": "random"})  # its own come below
    made = build.embedder(bare, trained.head, trained.pixels, mirror=trained.mirror)
    if trained.finish:
        made.embedder.finish = build.room_for(trained.finish, made.dimensions)
    checkpoint, sha256 = record.checkpoint_of(folder)
    load_weights(made.embedder, checkpoint, sha256=sha256)
    metrics, embed, wanted = record.metrics_of(folder), as_callable(made.embedder), made.embedder.preprocessing
    return Subject(
        name=f"run {folder.parent.name}/{folder.name}",
        shapes=partial(vectors, embed, wanted=wanted, paths=paths),
        wanted=wanted,
        dataset=record.dataset_of(folder),
        measure=trained,
        folder=folder / "evaluations",
        facts=_told(wanted),
        embed=embed,
        embedder=made.embedder,
        minutes=metrics.get("cost", {}).get("training_minutes"),
        color_weight=metrics.get("chosen", {}).get("color weight"),
        learnt_from=record.dataset_of(folder),
    )


def untrained(settings: Evaluate, said: Choice) -> Subject:
    """Something that learnt nothing here."""
    if said.name in build.FOREIGN:
        return _foreign(settings, said)
    pixels = settings.pixels or Pixels()
    network = build.untrained_network(said, pixels, mirror=settings.mirror)
    if network is None:
        embed, wanted = build.untrained(said, pixels, mirror=settings.mirror)
    else:
        embed, wanted = as_callable(network), network.preprocessing
    words = [*map(str, said.options.values()), str(wanted.size), "gray" * wanted.gray, "mirror" * settings.mirror]
    drawn = f"seed{settings.seed}" if said.name == "random" else ""
    look = "-".join(filter(None, [said.name, *words, drawn, wanted.sha256[:8]]))
    return Subject(
        name=f"untrained {said.name} at {wanted.size} pixels{', gray' if wanted.gray else ''}",
        shapes=partial(vectors, embed, wanted=wanted, paths=settings.paths),
        wanted=wanted,
        dataset=settings.dataset,
        measure=Measure(),
        folder=Path(settings.paths.runs) / "untrained" / look,
        facts=_told(wanted),
        embed=embed,
        embedder=network,
    )


def _foreign(settings: Evaluate, said: Choice) -> Subject:
    """Vectors of another program; the pictures themselves are read for their colors and to be looked at."""
    if settings.pixels or settings.mirror:
        raise ConfigError(f"embedder={said.name} brings vectors that stand already; leave pixels and mirror out")
    given = build.FOREIGN[said.name](**said.options)
    own = {name: value for name, value in given.told.items() if name != "training_minutes"}
    return Subject(
        name=given.told.get("name", f"vectors of {given.path.name}"),
        shapes=given.of,
        wanted=build.untrained(COLORS, Pixels())[1],
        dataset=settings.dataset,
        measure=Measure(),
        folder=Path(settings.paths.runs) / "untrained" / f"{said.name}-{given.path.stem}-{given.sha256[:8]}",
        facts={"vectors": {"file": given.path.name, "sha256": given.sha256, **own}},
        embed=None,
        embedder=None,
        minutes=given.told.get("training_minutes"),
    )


def _told(wanted: Preprocessing) -> dict[str, Any]:
    return {"preprocessing": wanted.told() | {"sha256": wanted.sha256}}
