"""Does a release still give what it gave: golden vectors recomputed on this machine, and its catalog looked through.

In: a release as `open_release` hands it back, which read every file by its hash. Out: a list of faults, empty where all is
well. Never: changes anything, stops at the first fault, raises, or hashes a file again.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Final

import numpy as np

from lookalike.release import golden, session, shelf
from lookalike.release.golden import Shape
from lookalike.release.looking import square, unresized
from lookalike.release.opened import Release
from lookalike.release.session import Embed
from lookalike.settings import DataError

PHONE: Final = "phone/model.onnx"
PHONE_EXPECTED: Final = f"phone/{golden.EXPECTED}"


def faults(release: Release, *, threads: int = 2) -> list[str]:
    """What is wrong with a release whose files are whole."""
    listed = release.manifest["files"]
    found = golden.faults(release.folder, by_bytes(release, threads=threads), listed)
    if PHONE in listed:
        found += golden.faults(release.folder, {"phone": phone(release, threads=threads)}, listed, PHONE_EXPECTED)
    return found + (_catalog(release) if release.manifest["indexed"] else [])


def by_bytes(release: Release, *, threads: int = 2) -> dict[str, Shape]:
    """Each model of a release, and its color feature, from a picture's bytes to a vector; loaded at the first picture."""
    models = {name: _lazy(release, partial(release.model, name, threads=threads)) for name in release.models()}

    def color(data: bytes) -> np.ndarray:
        vector: np.ndarray = release.color()(square(data, release.preprocessing)[None])[0]
        return vector

    return {**models, "color": color}


def phone(release: Release, *, threads: int = 2) -> Shape:
    """The phone's own ONNX model, likewise. Its CoreML twin runs on macOS alone: only its hash is looked at."""
    return _lazy(release, partial(session.embedder, release.folder / PHONE, threads=threads))


def _lazy(release: Release, opened: Callable[[], Embed]) -> Shape:
    load = cache(opened)

    def shape(data: bytes) -> np.ndarray:
        vector: np.ndarray = load()(unresized(data, release.preprocessing)[None])[0]
        return vector

    return shape


def _catalog(release: Release) -> list[str]:
    """What is wrong with its catalog, and whether that is of this release's models."""
    try:
        found = shelf.open_shelf(release).vectors
        kept = golden.expected(release.folder, f"{golden.FOLDER}/{golden.EXPECTED}", release.manifest["files"]).vectors
    except DataError as wrong:
        return [str(wrong)]
    ours = {str(release.manifest["serves"]): found.shape.shape[1], "color": found.color.shape[1]}
    return [
        f"the catalog's vectors of {name} have {width} numbers, the model's have {kept[name].shape[1]}; index it again"
        for name, width in ours.items()
        if name in kept and kept[name].shape[1] != width
    ]
