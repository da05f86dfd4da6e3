"""Which release is the champion, which was it before, which is looked at: one small file, replaced whole.

In: the folder of all releases, and what somebody calls one of them. Out: a release's folder; the pointers; a move, written.
Never: judges, opens a model, or changes a release.

    registry.json   {"champion": "NAME/ID" or null, "previous": ..., "candidate": ..., "log": [the moves, oldest first]}
One rename moves all pointers at once: who reads sees those before a move or those after it, and needs no lock. Who moves them
holds one from reading to writing, as two who judged by the same champion would undo each other.
"""

import difflib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from lookalike import files
from lookalike.release.opened import Release, open_release
from lookalike.settings import DataError, folder_fault

REGISTRY: Final = "registry.json"
LOCK: Final = ".registry.lock"
TAKEN: Final = {errno.EACCES, errno.EAGAIN}
POINTERS: Final = ("champion", "previous", "candidate")
KEPT: Final = 1000  # moves of the log
PATIENCE: Final = 600.0  # seconds that a promotion waits for another one's
MOST_TOLD: Final = 12  # of what there is, where nothing was found
MEND: Final = (
    "restore it from a copy, or move it away and promote again (the releases themselves are not in it; the next one promoted "
    "is then judged without a champion)"
)

What = Literal["promote", "rollback", "candidate"]


@dataclass(frozen=True, kw_only=True)
class Pointers:
    """The names that point at releases, each NAME/ID or nothing, and how they came to."""

    champion: str | None = None
    previous: str | None = None
    candidate: str | None = None
    log: tuple[Mapping[str, Any], ...] = ()  # of each move: time, what, from, to, why, figures

    def named(self) -> dict[str, str]:
        """The pointers that point at something."""
        told = {name: getattr(self, name) for name in POINTERS}
        return {name: label for name, label in told.items() if label}


# Reading


def pointers(releases: Path) -> Pointers:
    """What the registry says; nothing where there is none yet. A damaged one is refused, never taken for an empty one."""
    path = releases / REGISTRY
    if not os.path.lexists(path):
        return Pointers()
    try:
        return _read(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as wrong:
        raise DataError(f"{path}: damaged ({wrong}); {MEND}") from None


def _read(told: Any) -> Pointers:
    """The pointers of plain data; ValueError where it is anything else."""
    known = {*POINTERS, "log"}
    if not isinstance(told, dict) or set(told) != known:
        raise ValueError(f"it does not say {', '.join(sorted(known))}, each once and nothing else")
    for name in POINTERS:
        if told[name] is not None and not _is_label(told[name]):
            raise ValueError(f"its {name} is {told[name]!r} and not NAME/ID or null")
    if not (isinstance(told["log"], list) and all(isinstance(move, dict) for move in told["log"])):
        raise ValueError("its log is no list of moves")
    return Pointers(**{name: told[name] for name in POINTERS}, log=tuple(told["log"]))


def _is_label(said: Any) -> bool:
    """Whether it is NAME/ID, and so a place under the releases and no other."""
    parts = said.split("/") if isinstance(said, str) else []
    return len(parts) == 2 and not any(folder_fault(part) for part in parts)


def name_fault(name: str) -> str:
    """Why a release may not be called so; "" where it may."""
    if name.lower() in (*POINTERS, REGISTRY):  # some disks take both cases for one
        return f"means another thing where a release is named: {', '.join(POINTERS)} and {REGISTRY} are taken; give another"
    return folder_fault(name)


def whole(label: str, releases: Path) -> Release:
    """The release that a pointer names, or a DataError that says why it cannot be used."""
    folder = releases / label
    if not folder.is_dir():
        raise DataError(f"{folder} is gone; restore that folder from a copy")
    return open_release(folder)


def opened(folder: Path, releases: Path) -> Release:
    """A whole release that lies where its name says."""
    release, label = open_release(folder), label_of(folder, releases)
    if release.label != label:
        raise DataError(f"{folder}: its manifest says that it is {release.label}; put it back under that name")
    return release


# What somebody calls a release


def resolve(said: str, releases: Path) -> Path:
    """The folder of a release: said as a folder, NAME/ID, NAME (its newest), champion, candidate or previous.

    Whether it is whole is for `open_release` to say.
    """
    if said in POINTERS:
        return _pointed(said, releases)
    places = [Path(said).expanduser(), releases / said] if said else []
    found = next((one for one in places if (one / files.MANIFEST).is_file()), None)
    newest = found or next(filter(None, map(_newest, reversed(places))), None)
    if newest:
        return newest
    begun = next((one for one in places if one.is_dir()), None)
    why = f"{begun} holds no finished release (no {files.MANIFEST})" if begun else "no such release"
    raise DataError(f"release={said}: {why}; {_alike(said, releases)}{_there(releases)}")


def _pointed(name: str, releases: Path) -> Path:
    now = pointers(releases)
    label = now.named().get(name)
    if not label:
        raise DataError(f"release={name}: no release is the {name} yet; {_there(releases)}")
    if not (releases / label).is_dir():
        raise DataError(
            f"release={name}: the {name} is {label}, and {releases / label} is gone; restore that folder from a copy, "
            f"or name another release; {_there(releases)}"
        )
    return releases / label


def _newest(folder: Path) -> Path | None:
    """Of the releases of a name the one made last; None where there are none."""
    return max(_releases_of(folder), key=_made, default=None)


def _releases_of(folder: Path) -> list[Path]:
    """The finished releases in a folder. What is being written has a hidden name until then."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [one for one in inside if not one.name.startswith(".") and (one / files.MANIFEST).is_file()]


def _made(release: Path) -> tuple[datetime, int]:
    """When a release was made, as it tells, and the clock of its disk for two of one second."""
    path = release / files.MANIFEST
    try:
        made = datetime.fromisoformat(json.loads(path.read_text("utf-8"))["made"])
    except (OSError, ValueError, TypeError, KeyError) as wrong:
        raise DataError(
            f"{path}: it does not tell when the release was made ({type(wrong).__name__}: {wrong}), so which of "
            f"{release.parent} is the newest cannot be told; say NAME/ID, or move this one away"
        ) from None
    return made if made.tzinfo else made.replace(tzinfo=UTC), path.stat().st_mtime_ns


def folders(now: Pointers, releases: Path) -> dict[str, Path]:
    """Where the previous champion and the champion lie, in that order; without those that are gone."""
    told = {name: releases / label for name in ("previous", "champion") if (label := now.named().get(name))}
    return {name: folder for name, folder in told.items() if (folder / files.MANIFEST).is_file()}


def label_of(folder: Path, releases: Path) -> str:
    """NAME/ID of a release's folder; DataError where it lies elsewhere, as a pointer could not name it."""
    whole, root = folder.resolve(), releases.resolve()
    label = whole.relative_to(root).as_posix() if whole.is_relative_to(root) else ""
    if not _is_label(label):
        raise DataError(f"{folder}: not under {releases}, where the registry's names point; copy it to NAME/ID there")
    return label


def _names(releases: Path) -> dict[str, int]:
    """The names that have releases, and how many."""
    inside = sorted(releases.iterdir()) if releases.is_dir() else []
    counts = {one.name: len(_releases_of(one)) for one in inside if not one.name.startswith(".")}
    return {name: count for name, count in counts.items() if count}


def _there(releases: Path) -> str:
    """What could have been said."""
    told = [f"{name} ({count})" if count > 1 else name for name, count in _names(releases).items()]
    if not told:
        return f"under {releases} there is none: lookalike export RUN makes one"
    more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    return f"under {releases} there are: {', '.join(told[:MOST_TOLD])}{more}"


def _alike(said: str, releases: Path) -> str:
    known = [*POINTERS, *_names(releases)]
    close = difflib.get_close_matches(said.partition("/")[0], known, n=1)
    return f"did you mean {close[0]!r}? " if close and close[0] != said else ""


# Moving


@contextmanager
def held(releases: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """Keep every other process from moving a pointer while the block runs; one that dies holds nothing back."""
    if not releases.is_dir():
        raise DataError(f"{releases}: no such folder; lookalike export RUN makes the first release in it")
    with files.writing_to(releases):
        handle = os.open(releases / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait(handle, releases, patience)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, releases: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while not _taken(handle):
        if time.monotonic() >= until:
            raise DataError(
                f"{releases}: another promotion or rollback is at work there; wait until it ends, look at what it did "
                "(lookalike promote), then say it again"
            )
        time.sleep(0.05)


def _taken(handle: int) -> bool:
    """Whether the lock is ours now. Not flock: that one is inherited by what a process forks."""
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as wrong:  # else it is a disk that knows no locks, and no reason to promote nothing
        return wrong.errno not in TAKEN
    return True


def promoted(now: Pointers, label: str) -> Pointers:
    """The release is the champion, and who was it is the previous one."""
    candidate = None if now.candidate == label else now.candidate
    return replace(now, champion=label, previous=now.champion or now.previous, candidate=candidate)


def rolled_back(now: Pointers) -> Pointers:
    """The previous champion is it again, and the other way round: rolled back twice, all is as it was."""
    return replace(now, champion=now.previous, previous=now.champion)


def named(now: Pointers, label: str) -> Pointers:
    """The release is the candidate."""
    return replace(now, candidate=label)


def moved(
    releases: Path, after: Pointers, *, what: What, why: str, figures: Mapping[str, Any] | None = None
) -> Pointers:
    """Write the pointers as they are after a move, and the move. Only for who holds the lock since it read them."""
    which = "candidate" if what == "candidate" else "champion"
    move = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": what,
        "from": getattr(pointers(releases), which),
        "to": getattr(after, which),
        "why": why,
        "figures": dict(figures or {}),
    }
    written = replace(after, log=(*after.log, move)[-KEPT:])
    told = {name: getattr(written, name) for name in POINTERS}
    files.write_json(releases / REGISTRY, {**told, "log": list(written.log)})
    return written
