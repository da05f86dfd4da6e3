"""Writing that is whole or not there: a temporary name, a sync, a rename. Standard library only.

In: bytes or text and where they belong. Out: a file or a folder that a reader either sees complete or does not see.
Never: decides what is written, or reads anything back but checksums.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lookalike.settings import DataError, DiskFullError

MANIFEST = "manifest.json"


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path`, so that a crash leaves either the old file or the new one."""
    with full_disk_named(path):
        _make_folder(path.parent)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # mkstemp makes private files; these are meant to be read
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for text, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """`write_bytes` for plain data, sorted and indented so that two equal values are two equal files."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block ends well it becomes `path`, else it is gone.

    A folder already at `path` is left as it is: what is written this way is immutable, so equal names hold equal things.
    """
    with full_disk_named(path):
        _make_folder(path.parent)
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield draft
            for file in draft.rglob("*"):
                if file.is_file():
                    _sync_file(file)
            draft.chmod(0o755)
            _become(draft, path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _become(draft: Path, path: Path) -> None:
    if path.exists():
        return
    try:
        draft.rename(path)
    except OSError:
        if not path.is_dir():  # else another process was a moment quicker, with the same content
            raise
    _sync_folder(path.parent)


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Write the folder's manifest, last of all: `facts`, and the checksum and size of every file beside it."""
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    listed = {name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in names}
    write_json(folder / MANIFEST, {**facts, "files": listed})


def sealed(folder: Path) -> dict[str, Any]:
    """Read a folder's manifest, refusing the folder by name if any file is missing, added, short or altered."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise DataError(
            f"{folder}: no {MANIFEST}, so this folder was never finished. Make it again, or restore it whole."
        )
    try:
        facts: dict[str, Any] = json.loads(manifest.read_text())
        listed = facts["files"]
    except (ValueError, KeyError, TypeError) as wrong:
        raise DataError(f"{manifest}: not a manifest ({wrong}). Make the folder again, or restore it whole.") from None
    faults = []
    for name, told in listed.items():
        file = folder / name
        if not file.is_file():
            faults.append(f"{name} is missing")
        elif file.stat().st_size != told["bytes"]:
            faults.append(f"{name} has {file.stat().st_size} bytes where the manifest says {told['bytes']}")
        elif sha256_of(file) != told["sha256"]:
            faults.append(f"{name} was altered (its sha256 is not the manifest's)")
    present = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - {MANIFEST}
    faults += [f"{name} is not in the manifest" for name in sorted(present - set(listed))]
    if faults:
        raise DataError(f"{folder}: refused: {'; '.join(faults)}. Make it again, or restore it whole.")
    return facts


def sha256_of(path: Path) -> str:
    """The sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Turn "no space left" into an error that says where, how much is left, and what to do."""
    try:
        yield
    except OSError as wrong:
        if wrong.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        at = next(folder for folder in [path, *path.parents] if folder.exists())
        left = shutil.disk_usage(at).free / 1e6
        raise DiskFullError(
            f"{path}: the disk is full ({left:.0f} MB left at {at}); nothing half-written was kept. "
            "Free some space, or point paths.data and paths.runs at another disk."
        ) from None


def _make_folder(path: Path) -> None:
    """A folder and its parents; a new one is synced into its parent, or a crash could take it with all it holds."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    _sync_file(path)  # on Linux and macOS a folder opens and syncs like a file
