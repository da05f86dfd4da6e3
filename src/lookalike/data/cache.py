"""Decode once: pictures as a memory map of squares, made the first time and mapped from then on.

In: names of kept pictures, a size, a way to resize. Out: (N, S, S, 3) uint8, read-only, in the order of the names.
Never: changes a picture, shows a half-written map, or holds more than a few pictures in memory while it fills one.

A map is two files named by what is in it: `<key>.pixels`, the squares one after another, and, written last,
`<key>.json` with the names and a checksum of each square. Squares that another map, resized the same
way, holds are copied from it, so ten pictures more cost ten decodings. All can be deleted at any time, and is made again.
"""

import hashlib
import json
import math
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.catalog.images import PictureError, decode
from lookalike.catalog.pictures import at_once, path_of, read
from lookalike.features.foreground import on_white
from lookalike.features.resize import How, Interpolation
from lookalike.features.resize import resize as to_square
from lookalike.files import Place, write_json, writing_to
from lookalike.settings import DataError, DiskFullError

FORMAT = 2  # raise it when decode() or resize() begins to give other pixels: the old maps are then left alone
SPOTS = 16  # squares looked at when a map is opened
SPARE = 200_000_000  # bytes to leave free on the disk
ABANDONED = 24 * 3600  # seconds after its last write that a draft has surely lost its writer

Squares: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True)
class _Map:
    """A map on the disk: its squares, the names of their pictures, and their checksums."""

    squares: Squares
    shas: list[str]
    sums: list[int]

    def is_sound(self, row: int) -> bool:
        """Whether a square is still what was written."""
        return zlib.crc32(self.squares[row].tobytes()) == self.sums[row]


def decoded(
    root: Path,
    pictures: Place,
    shas: Sequence[str],
    *,
    size: int,
    resize: How,
    interpolation: Interpolation = "bicubic",
    mask: bool = False,
    progress: Callable[[int], None] | None = None,
    threads: int = 2,
) -> Squares:
    """The pictures (N, size, size, 3), N = len(shas), mapped from under `root`; made from `pictures` at the first call.

    mask: all but the product is painted white. progress is told how many more pictures are ready. Processes that fork
    share the map's memory. One that is spawned should call this again, which maps at once: to pickle the array, like any
    numpy memmap, is to copy every pixel.
    """
    if not shas:
        return np.empty((0, size, size, 3), np.uint8)
    told = progress or (lambda _: None)
    ways = [resize, interpolation, *(["masked"] * mask)]
    folder = root / "-".join([*ways, str(size), f"v{FORMAT}"])  # squares are copied from whatever lies beside them
    path = folder / f"{_key(shas, size, ways)}.pixels"
    if found := _open(path, size):
        told(len(shas))
        return found.squares
    square = partial(to_square, size=size, how=resize, interpolation=interpolation)
    to_size = (lambda pixels: on_white(square(pixels))) if mask else square
    square_of = partial(_square, known=_known(folder, size), pictures=pictures, size=size, to_size=to_size)
    _make(path, shas, square_of, size * size * 3, told, at_once(pictures, threads))
    if made := _open(path, size):
        return made.squares
    raise DataError(f"{path}: not what was written a moment ago. Does something else write there? Else check the disk.")


def _key(shas: Sequence[str], size: int, ways: Sequence[str]) -> str:
    return hashlib.sha256("\n".join([str(FORMAT), str(size), *ways, *shas]).encode()).hexdigest()[:32]


def _open(path: Path, size: int) -> _Map | None:
    """The map at `path`; None where there is none, or one that must be made anew.

    Checked are its length and a few squares, the first and the last among them: that finds a map cut short, zeroed by a
    crash, or of other pictures. To sum up all of it would be to read gigabytes at each start for the sake of one bit.
    """
    try:
        facts = json.loads(path.with_suffix(".json").read_text())
        found = _Map(np.memmap(path, np.uint8, "r").reshape(-1, size, size, 3), facts["shas"], facts["sums"])
    except (OSError, ValueError, KeyError, TypeError):  # absent, cut short or not readable
        return None
    if not len(found.squares) == len(found.shas) == len(found.sums):
        return None
    spots = np.linspace(0, len(found.shas) - 1, SPOTS).astype(int)
    return found if all(found.is_sound(row) for row in spots) else None


def _known(folder: Path, size: int) -> dict[str, tuple[_Map, int]]:
    """Where a picture's square already lies: picture -> map and row, over all maps of a folder."""
    maps = (_open(path, size) for path in sorted(folder.glob("*.pixels")))
    return {sha: (found, row) for found in maps if found for row, sha in enumerate(found.shas)}


def _square(
    sha: str,
    *,
    known: dict[str, tuple[_Map, int]],
    pictures: Place,
    size: int,
    to_size: Callable[[Squares], Squares],
) -> Squares:
    """One picture's square (size, size, 3), copied or decoded."""
    if sha in known:
        found, row = known[sha]
        if found.is_sound(row):
            return np.array(found.squares[row])
    data = read(pictures, sha)
    try:
        pixels = decode(data, at_least=size)
    except PictureError as wrong:
        where = path_of(pictures, sha)
        raise DataError(f"{where}: {wrong} ({wrong.reason}). Import its source again, which sets it aside.") from wrong
    return to_size(pixels)


def _make(
    path: Path,
    shas: Sequence[str],
    square_of: Callable[[str], Squares],
    each: int,
    told: Callable[[int], None],
    threads: int,
) -> None:
    """Fill a map in threads (decoding lets go of the interpreter). each: bytes of a square."""
    with writing_to(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    _need_room(path.parent, len(shas) * each)
    with _draft(path) as file:

        def fill(row: int) -> int:
            square = square_of(shas[row]).tobytes()
            os.pwrite(file.fileno(), square, row * each)  # not through a map: there a full disk kills the process
            return zlib.crc32(square)

        sums = []
        for one in _in_threads(fill, len(shas), threads):
            sums.append(one)
            told(1)
    write_json(path.with_suffix(".json"), {"shas": list(shas), "sums": sums})


def _in_threads(work: Callable[[int], int], count: int, threads: int) -> Iterator[int]:
    """`work` on 0, 1 ... in a few threads, results in order; what is not begun when it stops is dropped."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(work, range(count))
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    """A file of another name that becomes `path` when the block ends well. Two that make the same map do no harm."""
    with writing_to(path.parent):
        handle, name = tempfile.mkstemp(prefix=".", suffix=".draft", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # mkstemp makes private files; these are meant to be read
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _sweep(folder: Path) -> None:
    """Remove the drafts of processes that were killed."""
    for draft in folder.glob(".*.draft"):
        if time.time() - draft.stat().st_mtime > ABANDONED:
            draft.unlink(missing_ok=True)


def _need_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE > free:
        raise DiskFullError(
            f"{folder}: the decoded pictures need {math.ceil(needed / 1e6):,} MB and {SPARE / 1e6:,.0f} MB to spare, but "
            f"{free / 1e6:,.0f} MB are free. "
            "Free some space, point paths.data at another disk, or set a smaller pixels.size."
        )
