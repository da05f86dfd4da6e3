"""What two seeds of one method share: the settings that make the method, and the data set version it learnt from.

In: a run folder. Out: settings by dotted names. Never: takes another number of threads for another method.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from lookalike.settings import Train
from lookalike.tracking import record

# settings that make another seed, or the same method elsewhere or faster; the data set counts by its version
NOT_THE_METHOD: Final = ("name", "seed", "dataset", "threads", "save_every", "batch.workers")

Method = Mapping[str, Any]  # each setting by its dotted name


def method_of(run: Path) -> Method:
    """What two seeds of one method have in common: no settings but those that make it, and the data set version.

    A setting that came after the run has its default: what the run did without knowing.
    """
    said = _filled(record.what(record.settings_of(run)), DEFAULTS)
    told = {name: one for name, one in _flat(_same_words(said)) if name not in NOT_THE_METHOD}
    return told | {"dataset": record.dataset_of(run)}


def _same_words(said: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with one word for one thing: what is left open means what it stands for."""
    exact = {"name": "exact"}
    return {
        **said,
        "learn": said["learn"] or said.get("match"),
        "color_weight": said["color_weight"] or 0.0,
        "query_view": said["query_view"] or "",
        "gallery_view": said["gallery_view"] or "",
        "search": said["search"] or exact,
    }


def differing(ours: Method, theirs: Method) -> list[str]:
    """The settings in which two methods differ; a choice that is another one is told by its name alone."""
    names = [one for one in {**ours, **theirs} if ours.get(one) != theirs.get(one)]
    chosen = {one.removesuffix(".name") for one in names if one.endswith(".name")}
    kept = [one for one in names if one.endswith(".name") or one.partition(".")[0] not in chosen]
    return sorted({one.removesuffix(".name") for one in kept})


def _defaults() -> dict[str, Any]:
    """What a training does where nothing is said."""
    made = {
        one.name: one.default if one.default_factory is MISSING else one.default_factory()
        for one in fields(Train)
        if one.default is not MISSING or one.default_factory is not MISSING
    }
    return {name: asdict(one) if is_dataclass(one) else one for name, one in made.items()}  # type: ignore[arg-type]


DEFAULTS: Final = record.what(_defaults())


def _filled(said: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What is said, and what is not by its default."""
    whole = {**defaults, **said}
    deep = [one for one in whole if isinstance(defaults.get(one), dict) and isinstance(whole[one], dict)]
    return whole | {one: _filled(whole[one], defaults[one]) for one in deep}


def _flat(said: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name."""
    for name, one in said.items():
        if isinstance(one, dict):
            yield from _flat(one, f"{before}{name}.")
        else:
            yield f"{before}{name}", one
