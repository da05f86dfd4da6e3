"""`lookalike promote RELEASE`: the champion from now on, if the gate allows; without a RELEASE, who points at what.

Exit 1 where the gate says no, with every check told and nothing moved; and where a release that is pointed at is not whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from lookalike.cli import show
from lookalike.release import registry, verify
from lookalike.release.gate import FIGURES, Candidate, Check, Verdict, judge
from lookalike.release.opened import Release
from lookalike.release.registry import POINTERS, Pointers
from lookalike.settings import ConfigError, DataError, Promote

MOVES = 10  # of the log that are shown
NONE = "-"


def run(settings: Promote) -> int:
    """Show, name a candidate, or judge and move."""
    releases = Path(settings.paths.releases)
    if not settings.release:
        if settings.candidate:
            raise ConfigError("candidate=true: which release? Say lookalike promote RELEASE candidate=true")
        return _shown(registry.pointers(releases), releases)
    return _named(settings, releases) if settings.candidate else _promoted(settings, releases)


def _named(settings: Promote, releases: Path) -> int:
    with registry.held(releases):
        release = registry.opened(registry.resolve(settings.release, releases), releases)
        after = registry.named(registry.pointers(releases), release.label)
        registry.moved(releases, after, what="candidate", why="named by hand")
    show.out.print(
        f"{release.label} is the candidate. Nothing was judged: lookalike promote candidate does.", markup=False
    )
    return 0


def _promoted(settings: Promote, releases: Path) -> int:
    """Judge and move under one lock: the champion that is judged by is the one that makes way."""
    if settings.tracking != "local":
        from lookalike.tracking import artifacts  # W&B takes a second to import, and is not everybody's

        artifacts.check(settings)
    with registry.held(releases):
        before = registry.pointers(releases)
        folder = registry.resolve(settings.release, releases)
        verdict = _judged(folder, before, settings, releases)
        _say(verdict)
        if not verdict.admitted:
            return 1
        after = registry.promoted(before, verdict.challenger)
        registry.moved(releases, after, what="promote", why=verdict.words, figures=verdict.figures())
    told = {"champion": after.champion, "previous": after.previous or NONE, "registry": releases / registry.REGISTRY}
    if settings.tracking != "local":
        told["W&B"] = artifacts.shown(registry.folders(registry.pointers(releases), releases), settings)
    show.facts("moved", told)
    return 0


# From folders to candidates


def _judged(folder: Path, before: Pointers, settings: Promote, releases: Path) -> Verdict:
    release = registry.opened(folder, releases)
    champion = _champion(before, releases)
    with show.progress("verifying"):
        faults = verify.faults(release, threads=settings.threads)
    return judge(
        _candidate(release, faults), _candidate(champion) if champion else None, settings.rule, seed=settings.seed
    )


def _champion(before: Pointers, releases: Path) -> Release | None:
    if not before.champion:
        return None
    try:
        return registry.whole(before.champion, releases)
    except DataError as wrong:
        raise DataError(
            f"the champion {before.champion} cannot be compared with: {str(wrong).rstrip('.')}. Nothing was moved. "
            "Or make way for the previous one: lookalike rollback"
        ) from None


def _candidate(release: Release, faults: list[str] | None = None) -> Candidate:
    metrics, learnt = _metrics(release), str(release.manifest["dataset"])
    return Candidate(
        label=release.label,
        queries=_queries(release),
        protocol=metrics["protocol"],
        tested=str(metrics.get("dataset") or learnt),
        learnt=learnt,
        indexed=release.manifest["indexed"],
        cost=metrics.get("cost") or {},
        faults=faults or (),
    )


def _metrics(release: Release) -> Mapping[str, Any]:
    path = release.folder / "metrics.json"
    try:
        told = release.metrics
        if not isinstance(told["protocol"], dict):
            raise TypeError("its protocol is no object")
    except (ValueError, TypeError, KeyError) as wrong:
        raise DataError(f"{path}: tells no protocol ({type(wrong).__name__}: {wrong}); export the run again") from None
    return told


def _queries(release: Release) -> pl.DataFrame:
    try:
        return release.per_query
    except (OSError, pl.exceptions.PolarsError) as wrong:
        raise DataError(f"{release.folder / 'per_query.parquet'}: no table ({wrong}); export the run again") from None


# On the terminal


def _say(verdict: Verdict) -> None:
    """Every check with its figure, then what words add, then the verdict."""
    beside = f" beside the champion {verdict.champion}" if verdict.champion else ""
    columns = ("check", "holds", "figure", "95 % interval", "wanted")
    show.table(f"{verdict.challenger}{beside}", columns, [_row(one) for one in verdict.reasons], whole=2)
    for told, names in _notes(verdict).items():
        show.out.print(f"  {', '.join(names)}: {told}.", markup=False)
    show.out.print()
    show.out.print(verdict.words, style="green" if verdict.admitted else "bold red", markup=False)
    show.out.print("" if verdict.admitted else "Nothing was moved.\n")


def _row(one: Check) -> tuple[str, ...]:
    """A difference has an interval and a sign, a cost has neither."""
    figure = NONE if one.figure is None else f"{one.figure:+.3f}" if one.interval else f"{one.figure:.1f}"
    between = f"{one.interval[0]:+.3f} to {one.interval[1]:+.3f}" if one.interval else NONE
    return (one.name, "yes" if one.holds else "NO", figure, between, one.wanted)


def _notes(verdict: Verdict) -> dict[str, list[str]]:
    """What words add, and the checks that they are true of."""
    notes: dict[str, list[str]] = {}
    for one in verdict.reasons:
        if one.told:
            notes.setdefault(one.told, []).append(one.name)
    return notes


def _shown(now: Pointers, releases: Path) -> int:
    """The pointers, whether what they point at is whole, and the last moves."""
    if not now.named():
        said = f"No release is promoted yet under {releases}: lookalike promote RELEASE makes one the champion."
        show.out.print(said, markup=False)
        return 0
    found = {label: _looked_at(label, releases) for label in set(now.named().values())}
    for name in POINTERS:
        label = getattr(now, name)
        show.facts(name, _facts(label, found[label]) if label else {"release": "none"})
    _moves(now)
    return 1 if any(isinstance(one, DataError) for one in found.values()) else 0


def _looked_at(label: str, releases: Path) -> Release | DataError:
    try:
        return registry.whole(label, releases)
    except DataError as wrong:
        return wrong


def _facts(label: str, release: Release | DataError) -> dict[str, Any]:
    """What a pointer points at."""
    if isinstance(release, DataError):
        return {"release": label, "whole": f"NO: {release}"}
    cost = release.metrics.get("cost") or {}
    return {
        "release": label,
        "made": release.manifest["made"],
        **{name: _figure(release.metrics, name) for name in FIGURES},
        "ms/image": _cost(cost.get("milliseconds_per_image")),
        "MB": _cost(cost.get("megabytes")),
        "index": release.manifest["indexed"] or "none",
        "whole": "yes",
    }


def _figure(metrics: Mapping[str, Any], name: str) -> str:
    told = metrics.get("test", {}).get(name)
    return f"{told['value']:.3f} ({told['ci95'][0]:.3f} to {told['ci95'][1]:.3f})" if told else NONE


def _cost(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}"


def _moves(now: Pointers) -> None:
    show.out.print("[bold]last moves, newest first[/bold]")
    for move in [*reversed(now.log)][:MOVES]:
        time, what, left, came, why = (move.get(name) or "nothing" for name in ("time", "what", "from", "to", "why"))
        show.out.print(f"  {time}  {what:<9}  {left} -> {came}: {why}", markup=False)
    show.out.print()
