"""A folder of files becomes a release: named by its files and by what is said of them, sealed, never changed after.

In: a draft folder, facts. Out: releases/NAME/ID. Never: changes a release, leaves half of one, or takes in a hidden file.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lookalike import files
from lookalike.release.opened import FORMAT, KIND, Release, identity, manifest_fault, open_release
from lookalike.release.registry import name_fault
from lookalike.settings import ConfigError, DataError

ABANDONED: Final = 24 * 3600  # seconds after its last write that a draft has surely lost its writer
DRAFTS: Final = (".draft.*", f".{'[0-9a-f]' * 12}.*")  # ours, and those of files.new_folder


@contextmanager
def draft(releases: Path, name: str) -> Iterator[Path]:
    """A folder to fill, on the disk of the releases; it is gone when the block ends."""
    if fault := name_fault(name):
        raise ConfigError(f"name={name}: {fault}")
    home = releases / name
    with files.writing_to(releases):
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        with tempfile.TemporaryDirectory(prefix=".draft.", dir=home) as folder:
            yield Path(folder)


def _sweep(home: Path) -> None:
    """Remove the drafts of processes that were killed."""
    for one in [one for pattern in DRAFTS for one in home.glob(pattern)]:
        with suppress(FileNotFoundError):  # its writer ends at this moment
            last = max(inside.lstat().st_mtime for inside in (one, *one.rglob("*")))
            if time.time() - last > ABANDONED:
                shutil.rmtree(one, ignore_errors=True)


def publish(filled: Path, releases: Path, name: str, facts: dict[str, Any]) -> Release:
    """Seal a filled draft as releases/NAME/ID. Where the same files stand with the same facts, whole, those stay."""
    listed, said = files.listed(filled), {**facts, "kind": KIND, "format": FORMAT, "name": name}
    said |= {"id": identity(said, listed), "made": datetime.now(UTC).isoformat(timespec="seconds")}
    if fault := manifest_fault({**said, "files": listed}):
        raise DataError(f"{releases / name}: not released: {fault}")
    folder = releases / name / str(said["id"])
    stood = folder.is_dir()
    if stood:
        with suppress(DataError):
            return open_release(folder)
    with files.new_folder(folder, replace=stood) as new:  # only what was seen damaged makes way
        for file in listed:
            (new / file).parent.mkdir(parents=True, exist_ok=True)
            (filled / file).rename(new / file)
        files.seal(new, said, files=listed)
    return open_release(folder)


def carry_over(old: Release, new: Path, *, leaving_out: Collection[str]) -> None:
    """The sealed files of a release into a draft, but for some folders; as links, since neither will ever change."""
    for name in sorted(old.manifest["files"]):
        if Path(name).parts[0] in leaving_out:
            continue
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(old.folder / name, new / name)
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(old.folder / name, new / name)
