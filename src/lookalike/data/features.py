"""Compute once: what a frozen network says of a picture, kept by the network's and the picture's digests.

In: a network's digest, pictures' digests, a way to compute. Out: features (N, W) float32, in the order of the digests.
Never: knows a network, computes again what is known, or trusts a file that is not what was written.

Under `<root>/<model>/` lies a file for every so many pictures, named by the sha256 of its own bytes: its checksum. It
holds the pictures' digests beside their features, so what one data set or split has paid for serves every other. All of
it can be deleted at any time, and is computed again.

Of several processes that lack features of one network, one computes and the others wait for it: they hold a lock in turn,
which the system takes from a process that dies. On a disk that knows no locks each computes for itself: slower, and no harm.
"""

import fcntl
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.files import write_bytes, writing_to
from lookalike.settings import DataError

BATCHES = 16  # computed between two writes: what a kill can lose
LOCK = (
    ".lock"  # stays: were it removed, one who waits for the old file and one who makes a new one would both hold theirs
)

Features = NDArray[np.float32]
Compute = Callable[[np.ndarray], np.ndarray]  # rows (n,), as positions in shas -> their features (n, W)


def cached_features(
    root: Path,
    model: str,
    shas: Sequence[str],
    compute: Compute,
    *,
    batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Features:
    """The features (N, W), N = len(shas), of pictures named by their sha256; computed `batch` at a time where not known.

    model: a digest of all that decides them: weights, architecture, preprocessing. progress is told how many more are
    ready. Batches begin where they would have after a kill. None is of one picture, for which a network adds up in another
    order than for several: the last bits of its features would tell what the cache happened to hold.
    """
    if not shas:
        return np.empty((0, 0), np.float32)
    told = progress or (lambda _: None)
    position = {sha: row for row, sha in reversed(list(enumerate(shas)))}  # where each is first asked for
    known = _known(root / model, position)
    if len(known) < len(position):
        with _alone(root / model):
            known |= _known(root / model, {sha: row for sha, row in position.items() if sha not in known})
            missing = [sha for sha in dict.fromkeys(shas) if sha not in known]
            told(len(shas) - len(missing))
            for names, features in _made(missing, position, compute, batch, told):
                _keep(root / model, names, features)
                known.update(zip(names, features, strict=True))
    else:
        told(len(shas))
    return np.stack([known[sha] for sha in shas])


def _made(
    missing: Sequence[str], position: Mapping[str, int], compute: Compute, batch: int, told: Callable[[int], None]
) -> Iterator[tuple[Sequence[str], Features]]:
    """The features of what is missing, as much at a time as one file holds."""
    for start in range(0, len(missing), batch * BATCHES):
        names = missing[start : start + batch * BATCHES]
        rows = np.array([position[sha] for sha in names])
        yield names, np.concatenate(list(_computed(rows, compute, batch, told)))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process computes for this folder, and keep the others waiting.

    Not flock: that one is inherited by the workers a process forks, and they may outlive it.
    """
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with suppress(OSError):  # a disk that knows no locks
            fcntl.lockf(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _computed(rows: np.ndarray, compute: Compute, batch: int, told: Callable[[int], None]) -> Iterator[Features]:
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        asked = some if len(some) > 1 else np.repeat(some, 2)
        features = np.asarray(compute(asked), np.float32)
        if features.ndim != 2 or len(features) != len(asked):
            raise ValueError(f"features of {len(asked)} pictures have the shape {features.shape}; (n, W) is wanted")
        if not np.isfinite(features).all():
            raise DataError(
                "the network gives features that are no numbers (nan or infinity), so none were kept; "
                "its weights are damaged, or its precision is too low: try precision=float32"
            )
        told(len(some))
        yield features[: len(some)]


def _known(folder: Path, wanted: Mapping[str, int]) -> dict[str, Features]:
    """The features (W,) of those wanted that lie in a folder, by picture. A damaged file is removed."""
    known: dict[str, Features] = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            shas, features = _read(path.read_bytes(), path.stem)
        except FileNotFoundError:  # removed this moment; that is allowed
            continue
        except ValueError:
            path.unlink(missing_ok=True)
            continue
        rows = [row for row, sha in enumerate(shas) if sha in wanted]
        known.update(zip([shas[row] for row in rows], features[rows], strict=True))
    return known


def _read(data: bytes, sha256: str) -> tuple[list[str], Features]:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError("not what was written")
    with np.load(io.BytesIO(data), allow_pickle=False) as held:
        return held["shas"].astype(str).tolist(), held["features"]


def _keep(folder: Path, shas: Sequence[str], features: Features) -> None:
    """Write a file of features, whole or not at all. Two processes that write the same do no harm."""
    held = io.BytesIO()
    np.savez(held, shas=np.array(shas, "S"), features=features)
    data = held.getvalue()
    write_bytes(folder / f"{hashlib.sha256(data).hexdigest()}.npz", data)
