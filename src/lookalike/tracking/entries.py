"""What the words of `lookalike compare` mean: a name all its seeds, a folder itself, a pattern whatever it matches.

In: words, and the folder of all runs. Out: a `Found` for each entry of a leaderboard. Never: reads a table, or compares.
"""

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lookalike.settings import DataError
from lookalike.tracking import record
from lookalike.tracking.method import differing, method_of

MOST_TOLD = 12  # of what there is, where nothing was found
MOST_MEANT = 3  # names that a wrong one may have been meant as
MOST_APART = 4  # settings that two methods are said to differ in
DRAWN = re.compile(r"random-.*seed(?P<seed>\d+)-[0-9a-f]+")  # what `evaluate embedder=random` calls its folder


@dataclass(frozen=True, kw_only=True)
class Found:
    """What stands under one name: a run or an evaluation, or runs that differ by their seed alone."""

    name: str  # its place under the folder of runs
    folders: tuple[Path, ...]  # one a seed, in the order of the seeds
    left_out: tuple[str, ...] = ()  # runs of the name that are not among them, and why


def entries(said: Sequence[str], runs: Path, *, setting: str = "runs") -> list[Found]:
    """What is meant, in the order it was said; what is meant twice is found once. No two have one name.

    setting: where it was said.
    """
    found = {_key(one): one for word in reversed(said) for one in reversed(_meant(word, runs, setting))}
    return _told_apart(list(reversed(found.values())))


def _key(one: Found) -> tuple[Path, ...]:
    return tuple(folder.resolve() for folder in one.folders)


def _meant(word: str, runs: Path, setting: str) -> list[Found]:
    places = [Path(word).expanduser(), runs / word]
    for folder in places:
        if found := _at(folder, runs):
            return [found]
    for base in (runs, Path()):
        if matched := [found for folder in _matching(word, base) if (found := _at(folder, runs))]:
            return _joined(matched)
    if arms := [found for folder in _arms(word, runs) if (found := _at(folder, runs))]:
        return arms
    begun = next((one for one in places if word and one.is_dir()), None)
    why = f"{begun} holds no finished run (no metrics.json)" if begun else "no such run, and no pattern of any"
    raise DataError(f"{setting}: {word!r}: {why}; {_alike(word, runs)}{_there(runs)}")


def _arms(study: str, runs: Path) -> list[Path]:
    """The names under which the arms of a study were trained."""
    if not study or not runs.is_dir():
        return []
    begun = (one for one in sorted(runs.iterdir()) if one.name.startswith(f"{study}-"))
    return [one for one in begun if _arm(one) and one.name == f"{study}-{_arm(one)}"]


def _arm(name: Path) -> str:
    """Which arm of a study the newest run of a name is; "" of what is none."""
    newest = next(record.finished(name), None)
    return str(record.settings_of(newest).get("arm") or "") if newest else ""


def _told_apart(found: Sequence[Found]) -> list[Found]:
    """Each under a name of its own: methods of one run's name are told apart by the run of their first seed."""
    names = Counter(one.name for one in found)
    apart = [replace(one, name=f"{one.name} of {_stamp(one)}") if names[one.name] > 1 else one for one in found]
    twice = [name for name, count in Counter(one.name for one in apart).items() if count > 1]
    if twice:
        raise DataError(f"runs: several entries would be called {', '.join(twice)}; say fewer of them at once")
    return apart


def _stamp(one: Found) -> str:
    """The run that an entry begins with."""
    return (run_of(one.folders[0]) or one.folders[0].parent).name


# Evaluations of several seeds


def _joined(matched: Sequence[Found]) -> list[Found]:
    """Evaluations that differ by the seed of what they measured alone are one entry; everything else stays as it is."""
    kin: dict[str, list[Found]] = {}
    for one in matched:
        kin.setdefault(_kin(one), []).append(one)
    return [found[0] if len(found) == 1 else _one(found) for found in kin.values()]


def _one(found: Sequence[Found]) -> Found:
    by_seed: dict[int, Found] = {}
    for one in _newest_first(found):
        seed = seed_of(one.folders[0])
        if run_of(one.folders[0]) is None and seed in by_seed:  # nothing tells which of them is newer
            raise DataError(
                f"runs: {by_seed[seed].name} and {one.name} both say that they are seed {seed} of one method; "
                "name one of them, or remove the other"
            )
        by_seed.setdefault(seed, one)
    kept = [by_seed[seed] for seed in sorted(by_seed)]
    if len(kept) == 1:
        return kept[0]
    return Found(name=_common_name(kept[0]), folders=tuple(one.folders[0] for one in kept))


def _newest_first(found: Sequence[Found]) -> list[Found]:
    """Evaluations of one name's runs, that of the newest run first; of what has no run, as they come."""
    run = run_of(found[0].folders[0])
    order = [one.resolve() for one in record.finished(run.parent)] if run else []
    return sorted(found, key=lambda one: order.index(_stamped(one)) if _stamped(one) in order else len(order))


def _stamped(one: Found) -> Path:
    return (run_of(one.folders[0]) or one.folders[0]).resolve()


def _common_name(one: Found) -> str:
    """What the seeds of an evaluation are called together."""
    folder = one.folders[0]
    told = record.metrics_of(folder).get("vectors", {}).get("name")
    drawn = f"untrained/{re.sub('-seed[0-9]+', '', folder.parent.name)}" if _drawn(folder) else ""
    return f"{told or drawn or one.name.partition('/')[0]}/{folder.name}"


def _kin(one: Found) -> str:
    """What two evaluations have in common if they are seeds of one method; of anything else its own name."""
    folder, run = one.folders[0], run_of(one.folders[0])
    if len(one.folders) > 1 or run == folder:
        return one.name
    if run:
        return json.dumps([str(run.parent.resolve()), method_of(run), folder.name], sort_keys=True, default=str)
    if _drawn(folder):
        return json.dumps([_common_name(one)])
    told = record.metrics_of(folder).get("vectors", {})
    return json.dumps([told["name"], folder.name]) if told.get("name") and told.get("seed") is not None else one.name


def _drawn(folder: Path) -> re.Match[str] | None:
    """The folder of a network with random weights that learnt nothing, of which an evaluation is."""
    return DRAWN.fullmatch(folder.parent.name)


def run_of(folder: Path) -> Path | None:
    """The run that a folder is, or is an evaluation of; None where nothing of this house learnt."""
    return next((one for one in (folder, folder.parent.parent) if (one / "settings.yaml").is_file()), None)


def seed_of(folder: Path) -> int:
    """The seed of what was measured: a run's, the one that came with another program's vectors, or of random weights."""
    run = run_of(folder)
    if run:
        return int(record.environment_of(run).get("seed", 0))
    drawn = _drawn(folder)
    return int(drawn["seed"]) if drawn else int(record.metrics_of(folder).get("vectors", {}).get("seed") or 0)


def by_chance(folder: Path) -> bool:
    """Whether what no run made would be other vectors by another seed."""
    return bool(_drawn(folder)) or "seed" in record.metrics_of(folder).get("vectors", {})


def _at(folder: Path, runs: Path) -> Found | None:
    """The run or the evaluation that a folder is, or the finished runs in it; None where there are none."""
    if (folder / "metrics.json").is_file():
        return Found(name=_name(folder, runs), folders=(folder,))
    finished = list(record.finished(folder))
    if not finished:
        return None
    if not any((one / "settings.yaml").is_file() for one in finished):
        return Found(name=_name(folder, runs), folders=_only(folder, finished))
    return _seeds(_name(folder, runs), finished)


# The runs of a name


def _seeds(name: str, newest_first: Sequence[Path]) -> Found:
    """The newest run, and those that differ from it by the seed alone; of one seed the newest."""
    wanted = method_of(newest_first[0])
    by_seed: dict[int, Path] = {}
    passed: set[int] = set()
    others: list[tuple[str, ...]] = []
    damaged: list[str] = []
    for run in newest_first:
        seed = _seed_told(run)
        try:
            differs = tuple(differing(wanted, method_of(run)))
            record.metrics_of(run)
        except DataError as wrong:
            if seed is None or seed not in passed:
                raise
            damaged.append(f"{run.name} left out, it is damaged and older than another of seed {seed}: {wrong}")
            continue
        if seed is not None:
            passed.add(seed)
        if differs:
            others.append(differs)
        else:
            by_seed.setdefault(seed_of(run), run)
    kept = tuple(by_seed[seed] for seed in sorted(by_seed))
    return Found(name=name, folders=kept, left_out=(*_others_told(others), *damaged))


def _seed_told(run: Path) -> int | None:
    """A run's seed by whichever of its files can be read; None where neither can."""
    for read in (record.environment_of, record.settings_of):
        try:
            return int(read(run)["seed"])
        except (DataError, KeyError, TypeError, ValueError):
            continue
    return None


def _others_told(others: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Runs of another method, counted by what they differ in."""
    for names, count in Counter(others).items():
        who = "1 older run" if count == 1 else f"{count} older runs"
        more = f" and {len(names) - MOST_APART} more" if len(names) > MOST_APART else ""
        differ = "it differs" if count == 1 else "they differ"
        yield f"{who} of this name left out: {differ} in {', '.join(names[:MOST_APART])}{more}"


def _only(folder: Path, evaluations: Sequence[Path]) -> tuple[Path, ...]:
    """Evaluations in one folder are of different data sets or protocols: none of them can stand for the others."""
    if len(evaluations) > 1:
        there = ", ".join(sorted(one.name for one in evaluations))
        raise DataError(f"runs: {folder} holds {len(evaluations)} evaluations; name one of them: {there}")
    return tuple(evaluations)


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
    there = _shortened(_names(runs))
    more = f" and {len(there) - MOST_TOLD} more" if len(there) > MOST_TOLD else ""
    return f"under {runs} there are: {', '.join(there[:MOST_TOLD])}{more}" if there else "train one first"


def _names(runs: Path) -> list[str]:
    """Every name under the folder of runs that can be said."""
    names = {one.parent.parent for one in runs.glob("*/*/metrics.json")}
    alone = {one.parent for one in runs.glob("untrained/*/*/metrics.json")}
    return [_name(one, runs) for one in (*sorted(names), *sorted(alone))]


def _shortened(names: Sequence[str]) -> list[str]:
    """The names; where they are many, those of one study together."""
    if len(names) <= MOST_TOLD:
        return list(names)
    studies = Counter(map(_study, names))
    told = (one if studies[_study(one)] == 1 else f"{_study(one)}-* ({studies[_study(one)]})" for one in names)
    return list(dict.fromkeys(told))


def _study(name: str) -> str:
    """What a name begins with to its last joint: the arms of one study have that in common."""
    return name.rpartition("-")[0] or name


def _alike(word: str, runs: Path) -> str:
    """What a wrong word may have been meant as."""
    names = _names(runs)
    known = dict.fromkeys([*names, *(study for study, arms in Counter(map(_study, names)).items() if arms > 1)])
    ends = [name for name in names if word and name.endswith(f"-{word}")]  # what a table calls an arm
    close = list(dict.fromkeys([*ends, *difflib.get_close_matches(word, known)]))[:MOST_MEANT]
    return f"did you mean {' or '.join(close)}? " if close else ""
