"""Writing that is whole or not there: a temporary name, a sync, a rename. Standard library only.

In: bytes or text and where they belong. Out: a file or a folder that a reader either sees complete or does not see.
Never: decides what is written, or reads anything back but checksums.

A place may be remote: a bucket has no rename and needs none, as a put is whole or not there.
"""

import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, Self, TypeAlias

from lookalike.settings import DataError, DiskFullError, LookalikeError, PlaceError

MANIFEST = "manifest.json"
ASIDE = ".old"  # ends the name of a folder that another one has replaced, until it is removed


class Remote(Protocol):
    """A file or a folder on another machine, and what is asked of it. `catalog.remote` has one."""

    @property
    def name(self) -> str:
        """The last part."""

    def __truediv__(self, name: str) -> Self: ...

    def is_file(self) -> bool:
        """Whether a file lies here."""

    def is_dir(self) -> bool:
        """Whether files lie below."""

    def size(self) -> int | None:
        """The bytes of the file here; None where there is none."""

    def sizes(self) -> dict[str, int]:
        """Every file below by its name from here on, with its bytes."""

    def iterdir(self) -> Iterator[Self]:
        """What lies directly below."""

    def read_bytes(self) -> bytes:
        """The file here; FileNotFoundError where there is none."""

    def write_bytes(self, data: bytes) -> int:
        """Put a file here, whole or not at all."""

    def unlink(self) -> None:
        """Remove the file here; that there is none is no fault."""


Place: TypeAlias = Path | Remote
Listed: TypeAlias = dict[str, dict[str, Any]]  # a file's name below its folder -> its sha256 and bytes


def write_bytes(path: Place, data: bytes) -> None:
    """Put `data` at `path`, so that a crash leaves either the old file or the new one."""
    if not isinstance(path, Path):
        path.write_bytes(data)
        return
    with writing_to(path.parent):
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


def write_text(path: Place, text: str) -> None:
    """`write_bytes` for text, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Place, value: Any) -> None:
    """`write_bytes` for plain data, sorted and indented so that two equal values are two equal files."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


@contextmanager
def new_folder(path: Place, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder; when the block ends well it becomes `path`, else it is gone.

    A folder already at `path` is left as it is: what is written this way is immutable, so equal names hold equal things.
    With `replace` it makes way, which is for one that was damaged: a kill leaves it, or the new one, or neither.

    At a remote `path` the block must seal the folder, for there its files are put one by one, the manifest last, and what
    is not among them is removed. A kill leaves a folder without a manifest, or with one that does not match: `sealed`
    refuses it, and the next try, with `replace`, puts every file again. Two writers of one folder put the same bytes, so
    their order is of no matter; if their bytes differ after all (two releases of a library pack a table each in its own
    way), a mixture is refused like any other, until one of them is run again.
    """
    if not isinstance(path, Path):
        with _sent(path, replace=replace) as draft:
            yield draft
        return
    with writing_to(path.parent):
        _make_folder(path.parent)
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield draft
            for file in draft.rglob("*"):
                if file.is_file():
                    _sync_file(file)
            draft.chmod(0o755)
            if replace:
                _set_aside(path)
            _become(draft, path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    _remove_set_aside(path)


@contextmanager
def _sent(path: Remote, *, replace: bool) -> Iterator[Path]:
    """Yield a folder on this machine whose files are put at `path` when the block ends well."""
    with tempfile.TemporaryDirectory(prefix="lookalike.") as here:
        draft = Path(here)
        with writing_to(draft):
            yield draft
        if not replace and (path / MANIFEST).is_file():
            return
        names = _files(draft)
        for stray in path.sizes().keys() - names:
            (path / stray).unlink()
        for name in sorted(names, key=lambda name: name == MANIFEST):
            (path / name).write_bytes((draft / name).read_bytes())


def _become(draft: Path, path: Path) -> None:
    if path.exists():
        return
    try:
        draft.rename(path)
    except OSError:
        if not path.is_dir():  # else another process was a moment quicker, with the same content
            raise
    _sync_folder(path.parent)


def _set_aside(path: Path) -> None:
    """Give what lies at `path` a name under which nobody looks for it."""
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=ASIDE, dir=path.parent))
    with suppress(FileNotFoundError):  # another process mends it too
        path.rename(holder / path.name)


def _remove_set_aside(path: Path) -> None:
    """Remove what made way for `path`, also what a killed process left."""
    for old in path.parent.glob(f".{glob.escape(path.name)}.*{ASIDE}"):
        shutil.rmtree(old, ignore_errors=True)


def seal(folder: Path, facts: dict[str, Any], *, files: Listed | None = None) -> None:
    """Write the folder's manifest, last of all: `facts`, and the checksum and size of every file beside it.

    files: what `listed` said of them, where they were read already.
    """
    write_json(folder / MANIFEST, {**facts, "files": listed(folder) if files is None else files})


def listed(folder: Path) -> Listed:
    """The checksum and size of every file that a seal of this folder would cover."""
    return {
        name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in _files(folder)
    }


def sealed(folder: Place) -> dict[str, Any]:
    """Read a folder's manifest, refusing the folder by name if any file is missing, added, short or altered."""
    facts = manifest(folder)
    faults = [fault for name, told in facts["files"].items() if (fault := _fault(folder / name, name, told))]
    faults += [f"{name} is not in the manifest" for name in _files(folder) if name not in {MANIFEST, *facts["files"]}]
    if faults:
        raise DataError(f"{folder}: refused: {'; '.join(faults)}. Make it again, or restore it whole.")
    return facts


def manifest(folder: Place) -> dict[str, Any]:
    """What a folder's manifest says, whether or not its files are as it says."""
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(
            f"{folder}: no {MANIFEST}, so this folder was never finished. Make it again, or restore it whole."
        )
    try:
        facts: dict[str, Any] = json.loads(path.read_bytes().decode("utf-8"))
        if not all({"sha256", "bytes"} <= told.keys() for told in facts["files"].values()):
            raise ValueError("a file's sha256 or bytes is not told")
        if outside := [name for name in facts["files"] if not inside(name)]:
            raise ValueError(f"{outside[0]!r} is no name of a file in this folder")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise DataError(
            f"{path}: not a manifest ({type(wrong).__name__}: {wrong}). Make the folder again, or restore it whole."
        ) from None
    return facts


def inside(name: str) -> bool:
    """Whether a name that was read somewhere is a place below the folder it is put behind, and hides nowhere."""
    parts = PurePosixPath(name).parts
    return bool(parts) and "/".join(parts) == name and not any(part.startswith(".") for part in parts)


def _fault(file: Place, name: str, told: dict[str, Any]) -> str:
    """What is wrong with a file that the manifest tells of; "" if nothing."""
    size = _size(file)
    if size is None:
        return f"{name} is missing"
    if size != told["bytes"]:
        return f"{name} has {size} bytes where the manifest says {told['bytes']}"
    return "" if sha256_of(file) == told["sha256"] else f"{name} was altered (its sha256 is not the manifest's)"


def _size(file: Place) -> int | None:
    """The bytes of a file; None where there is none."""
    if not isinstance(file, Path):
        return file.size()
    return file.stat().st_size if file.is_file() else None


def _files(folder: Place) -> list[str]:
    """The files of a folder by name. Hidden ones are left out: a file manager puts those (.DS_Store) wherever it looks."""
    if isinstance(folder, Path):
        found = [file.relative_to(folder) for file in folder.rglob("*") if file.is_file()]
    else:
        found = [Path(name) for name in folder.sizes()]
    return sorted(str(one) for one in found if not any(part.startswith(".") for part in one.parts))


def sha256_of(path: Place) -> str:
    """The sha256 of a file, read in pieces where it lies on this machine."""
    if not isinstance(path, Path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn what keeps a file from being written into `folder` into an error that says what, where, and the mend."""
    try:
        yield
    except LookalikeError:  # may be an OSError too, and is told already
        raise
    except OSError as wrong:
        if wrong.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _disk_full(folder) from None
        if found := obstacle(folder):
            raise PlaceError(
                f"{found}. Mend that, or point paths.data and paths.runs, or paths.releases, elsewhere."
            ) from wrong
        raise


def obstacle(folder: Place) -> str:
    """What keeps files from being written into a folder that may not be there yet; "" if nothing does.

    Found by writing one: permissions say nothing of a read-only disk, and the administrator has them all.
    """
    if not isinstance(folder, Path):
        return _obstacle_there(folder)
    at = _nearest(folder)
    if not at.is_dir():
        return f"{at} is {'a broken link' if at.is_symlink() else 'a file'} where a folder is needed"
    try:
        with tempfile.TemporaryFile(prefix=".try.", dir=at) as file:
            file.write(b"x")
    except OSError as wrong:
        return f"nothing can be written into {at}: {wrong.strerror}"
    return ""


def _obstacle_there(folder: Remote) -> str:
    try:
        (folder / ".try").write_bytes(b"x")
        (folder / ".try").unlink()
    except PlaceError as wrong:
        return str(wrong)
    return ""


def _disk_full(folder: Path) -> DiskFullError:
    at = _nearest(folder)
    left = shutil.disk_usage(at).free / 1e6
    return DiskFullError(
        f"{folder}: the disk is full ({left:.0f} MB left at {at}); nothing half-written was kept. "
        "Free some space, or point paths.data, paths.runs or paths.releases at another disk."
    )


def _nearest(folder: Path) -> Path:
    """The folder, or whatever stands in its place: the nearest of its parents that is there."""
    whole = folder.absolute()
    return next(one for one in (whole, *whole.parents) if os.path.lexists(one))


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
