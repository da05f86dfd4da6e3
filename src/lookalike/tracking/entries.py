"""What the words of `lookalike compare` mean: a name all its seeds, a folder itself, a pattern whatever it matches.

In: words, and the folder of all runs. Out: a `Found` for each entry of a leaderboard. Never: reads a table, or compares.
"""

from collections.abc import Iterator, Sequence
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
    if matched := [found for folder in _matching(word, runs) if (found := _at(folder, runs))]:
        return matched
    begun = next((one for one in places if word and one.is_dir()), None)
    why = f"{begun} holds no finished run (no metrics.json)" if begun else "no such run, and no pattern of any"
    raise DataError(f"runs: {word!r}: {why}; {_there(runs)}")


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


def _matching(word: str, runs: Path) -> Iterator[Path]:
    """The folders that a pattern matches under the folder of runs, then from where the command runs."""
    pattern = Path(word).expanduser()
    if pattern.is_absolute():
        bases = [(Path(pattern.anchor), str(pattern.relative_to(pattern.anchor)))]
    else:
        bases = [(runs, word), (Path(), word)]
    for base, said in bases:
        yield from sorted(base.glob(said)) if said.strip(".") else ()


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
