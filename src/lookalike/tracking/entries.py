"""What the words of `lookalike compare` mean: a name all its seeds, a folder itself, a pattern whatever it matches.

In: words, and the folder of all runs. Out: a `Found` for each entry of a leaderboard. Never: reads a table, or compares.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.settings import DataError
from lookalike.tracking import record

MOST_TOLD = 12  # of what there is, where nothing was found


@dataclass(frozen=True, kw_only=True)
class Found:
    """What stands under one name: a run or an evaluation, or runs that differ by their seed alone."""

    name: str  # its place under the folder of runs
    folders: tuple[Path, ...]  # one a seed, in the order of the seeds


def entries(said: Sequence[str], runs: Path) -> list[Found]:
    """What is meant, in the order it was said; what is meant twice is found once."""
    return list({one.name: one for word in said for one in _meant(word, runs)}.values())


def _meant(word: str, runs: Path) -> list[Found]:
    places = [Path(word).expanduser(), runs / word]
    for folder in places:
        if found := _at(folder, runs):
            return [found]
    for base in (runs, Path()):
        if matched := [found for folder in _matching(word, base) if (found := _at(folder, runs))]:
            return _joined(matched)
    begun = next((one for one in places if word and one.is_dir()), None)
    why = f"{begun} holds no finished run (no metrics.json)" if begun else "no such run, and no pattern of any"
    raise DataError(f"runs: {word!r}: {why}; {_there(runs)}")


def _joined(matched: Sequence[Found]) -> list[Found]:
    """Evaluations that differ by the seed of what they measured alone are one entry; everything else stays as it is."""
    kin: dict[str, list[Found]] = {}
    for one in matched:
        kin.setdefault(_kin(one), []).append(one)
    return [found[0] if len(found) == 1 else _one(found) for found in kin.values()]


def _one(found: Sequence[Found]) -> Found:
    folders = sorted((folder for one in found for folder in one.folders), key=seed_of)
    told = record.metrics_of(folders[0]).get("vectors", {})
    first = str(told.get("name") or found[0].name.partition("/")[0])
    return Found(name=f"{first}/{folders[0].name}", folders=tuple(folders))


def _kin(one: Found) -> str:
    """What two evaluations have in common if they are seeds of one method; of anything else its own name."""
    folder = one.folders[0]
    if len(one.folders) > 1:
        return one.name
    run = run_of(folder)
    if run and run != folder:
        return json.dumps([_method(run), folder.name], sort_keys=True, default=str)
    name = record.metrics_of(folder).get("vectors", {}).get("name")
    return json.dumps([name, folder.name]) if name else one.name


def run_of(folder: Path) -> Path | None:
    """The run that a folder is, or is an evaluation of; None where nothing of this house learnt."""
    return next((one for one in (folder, folder.parent.parent) if (one / "settings.yaml").is_file()), None)


def seed_of(folder: Path) -> int:
    """The seed of what was measured: a run's, or the one that came with another program's vectors."""
    run = run_of(folder)
    if run:
        return int(record.environment_of(run).get("seed", 0))
    return int(record.metrics_of(folder).get("vectors", {}).get("seed") or 0)


def _at(folder: Path, runs: Path) -> Found | None:
    """The run or the evaluation that a folder is, or the finished runs in it; None where there are none."""
    if (folder / "metrics.json").is_file():
        return Found(name=_name(folder, runs), folders=(folder,))
    finished = list(record.finished(folder))
    return Found(name=_name(folder, runs), folders=_seeds(folder, finished)) if finished else None


def _seeds(folder: Path, newest_first: Sequence[Path]) -> tuple[Path, ...]:
    """The newest run, and those that differ from it by the seed alone; of one seed the newest."""
    newest = newest_first[0]
    if not (newest / "settings.yaml").is_file():
        return _only(folder, newest_first)
    by_seed: dict[Any, Path] = {}
    for one in newest_first:
        if _method(one) == _method(newest):
            by_seed.setdefault(record.settings_of(one).get("seed", 0), one)
    return tuple(by_seed[seed] for seed in sorted(by_seed))


def _only(folder: Path, evaluations: Sequence[Path]) -> tuple[Path, ...]:
    """Evaluations in one folder are of different data sets or protocols: none of them can stand for the others."""
    if len(evaluations) > 1:
        there = ", ".join(sorted(one.name for one in evaluations))
        raise DataError(f"runs: {folder} holds {len(evaluations)} evaluations; name one of them: {there}")
    return tuple(evaluations)


def _method(run: Path) -> tuple[dict[str, Any], str]:
    """What two seeds of one method have in common: all other settings, and the data set version."""
    said = record.what(record.settings_of(run))
    return {name: value for name, value in said.items() if name != "seed"}, record.dataset_of(run)


def _matching(word: str, base: Path) -> list[Path]:
    """What a pattern matches, seen from a folder."""
    pattern = Path(word).expanduser()
    if pattern.is_absolute():
        base, word = Path(pattern.anchor), str(pattern.relative_to(pattern.anchor))
    return sorted(base.glob(word)) if word.strip("./") else []


def _name(folder: Path, runs: Path) -> str:
    """A folder's place under the folder of runs; elsewhere its path."""
    whole, root = folder.resolve(), runs.resolve()
    return (whole.relative_to(root) if whole.is_relative_to(root) else folder).as_posix()


def _there(runs: Path) -> str:
    """What could have been said."""
    names = {one.parent.parent for one in runs.glob("*/*/metrics.json")}
    alone = {one.parent for one in runs.glob("untrained/*/*/metrics.json")}
    there = [_name(one, runs) for one in (*sorted(names), *sorted(alone))]
    more = f" and {len(there) - MOST_TOLD} more" if len(there) > MOST_TOLD else ""
    return f"under {runs} there are: {', '.join(there[:MOST_TOLD])}{more}" if there else "train one first"
