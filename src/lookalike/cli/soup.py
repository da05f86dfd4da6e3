"""A soup: the weights of runs that stand, averaged as far as val gains.

In: the settings of a soup. Out: its runs, checked before any work; then their average. Never: mixes runs of another network,
of other pixels or of another data set version.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lookalike.catalog.versions import DataSet
from lookalike.cli import finishing
from lookalike.cli.learning import Parts, Tables
from lookalike.models.checkpoint import must_be, weights_of
from lookalike.settings import ConfigError, DataError, Train
from lookalike.tracking import record
from lookalike.tracking.entries import entries
from lookalike.training.soup import Soup, greedy

ALIKE = ("pixels", "backbone", "head", "mirror")  # settings that make the network what it is


def runs_of(settings: Train, dataset: DataSet) -> tuple[Path, ...]:
    """The folders of the runs that a soup is made of; () where none is asked for."""
    if not settings.soup:
        return ()
    found = entries([settings.soup], Path(settings.paths.runs))
    if len(found) > 1:
        there = ", ".join(one.name for one in found)
        raise ConfigError(f"soup={settings.soup}: {len(found)} names match ({there}); a soup is of one name's runs")
    wanted = record.plain(settings)
    for folder in found[0].folders:
        said, version = record.settings_of(folder), record.dataset_of(folder)
        if version != dataset.label:
            raise DataError(
                f"soup={settings.soup}: {folder} learnt from {version}, and {dataset.label} would be measured: its test "
                "may be what that run learnt; train it on this version"
            )
        other = [name for name in ALIKE if said.get(name) != wanted[name]]
        if other:
            raise ConfigError(
                f"soup={settings.soup}: {folder} differs in {', '.join(other)} "
                f"({', '.join(f'{name}: {said.get(name)}' for name in other)}); weights of one network alone can be "
                "averaged: say the same settings here"
            )
    return found[0].folders


def souped(settings: Train, ready: Parts, tables: Tables, runs: tuple[Path, ...]) -> Soup:
    """The average of some runs' weights that val likes, each tried as it would be kept: finished anew."""
    states = {f"{folder.parent.name}/{folder.name}": _bare(folder) for folder in runs}
    return greedy(states, lambda state: finishing.value(settings, ready, tables, state))


def _bare(folder: Path) -> Mapping[str, Tensor]:
    """A run's weights without the closed form behind its head, which is fitted anew."""
    checkpoint, sha256 = record.checkpoint_of(folder)
    must_be(checkpoint, sha256)
    return {name: one for name, one in weights_of(checkpoint).items() if not name.startswith("finish.")}


def minutes_of(runs: tuple[Path, ...]) -> float:
    """What the runs of a soup learnt together."""
    return sum(float(record.metrics_of(one).get("cost", {}).get("training_minutes", 0.0)) for one in runs)


def told(soup: Soup | None) -> dict[str, Any]:
    """As metrics.json holds it; {} for none."""
    return {"soup": {"inside": soup.inside, "val map@r alone": soup.alone}} if soup else {}
