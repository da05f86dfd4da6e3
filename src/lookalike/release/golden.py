"""Golden vectors: drawn pictures that travel with a release, and what its models must make of them.

In: drawn pictures, embedders. Out: a folder of pictures with their vectors; then how far a model is from them today.
Never: draws anything at reading, takes the color for the shape, reads a file that the release does not list, or raises
whatever a model does.

They are of several shapes and both file formats, gray and colored, so that a decoder, a resize or a runtime that begins to
give other numbers is seen on the machine where it does.
"""

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lookalike import files
from lookalike.settings import DataError

FOLDER: Final = "golden"
EXPECTED: Final = "expected.npz"
LEAST: Final = {
    "float32": 0.9999,
    "int8": 0.99,
    "color": 0.9999,
    "phone": 0.9999,  # its filters have 8 bits, its sums do not
}  # cosine; 8-bit sums differ with the processor's instructions

Shape = Callable[[bytes], np.ndarray]  # a picture's bytes -> its vector (D,)


@dataclass(frozen=True)
class Drawn:
    """One golden picture."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What models gave: their vectors (P, D) by the model's name, of pictures in this order."""

    names: tuple[str, ...]
    vectors: Mapping[str, np.ndarray]


# Writing


def write(folder: Path, pictures: list[Drawn], models: dict[str, Shape]) -> None:
    """Keep the pictures, and what each model says of each of them today."""
    (folder / FOLDER).mkdir()
    for one in pictures:
        files.write_bytes(folder / FOLDER / one.name, one.data)
    keep(folder / FOLDER / EXPECTED, pictures, {name: seen_by(model, pictures) for name, model in models.items()})


def seen_by(model: Shape, pictures: Sequence[Drawn]) -> np.ndarray:
    """The vectors of pictures (P, D)."""
    return np.stack([model(one.data) for one in pictures])


def keep(path: Path, pictures: Sequence[Drawn], vectors: Mapping[str, np.ndarray]) -> None:
    """Keep what models gave of pictures, each (P, D)."""
    kept, told = io.BytesIO(), dict[str, Any](vectors)
    np.savez(kept, names=np.array([one.name for one in pictures]), **told)
    files.write_bytes(path, kept.getvalue())


# Reading


def pictures_of(folder: Path, listed: Collection[str]) -> list[Drawn]:
    """The golden pictures of a release whose manifest lists these files."""
    names = expected(folder, f"{FOLDER}/{EXPECTED}", listed).names
    return [Drawn(name, (folder / FOLDER / name).read_bytes()) for name in names]


def expected(folder: Path, place: str, listed: Collection[str]) -> Expected:
    """What is kept in one file of a release; DataError where it is no such thing, or names what the release does not list."""
    try:
        with np.load(folder / place, allow_pickle=False) as kept:
            names = tuple(str(name) for name in kept["names"])
            vectors = {name: kept[name] for name in kept.files if name != "names"}
    except Exception as wrong:  # a sealed file that lies raises whatever zip, numpy and the disk raise
        raise DataError(f"{place} holds no vectors ({told(wrong)})") from None
    if strange := [name for name in names if "/" in name or f"{FOLDER}/{name}" not in listed]:
        raise DataError(f"{place} names {strange[0]!r}, and the release lists no such picture")
    if odd := [name for name, one in vectors.items() if one.ndim != 2 or len(one) != len(names) or not len(one)]:
        raise DataError(f"{place} has no vector of {odd[0]} for each picture")
    return Expected(names=names, vectors=vectors)


def faults(
    folder: Path, models: Mapping[str, Shape], listed: Collection[str], place: str = f"{FOLDER}/{EXPECTED}"
) -> list[str]:
    """Which models no longer give what they gave, and by how much; one fault a model, whatever it raises."""
    try:
        kept = expected(folder, place, listed)
        pictures = [(folder / FOLDER / name).read_bytes() for name in kept.names]
    except (DataError, OSError) as wrong:
        return [str(wrong)]
    found = [
        _fault(name, models[name], kept, pictures) if name in kept.vectors else f"{place} has no vectors of {name}"
        for name in sorted(models)
    ]
    return [fault for fault in found if fault]


def _fault(name: str, model: Shape, kept: Expected, pictures: Sequence[bytes]) -> str:
    try:
        cosines = [_cosine(model(data), vector) for data, vector in zip(pictures, kept.vectors[name], strict=True)]
    except Exception as wrong:  # of a network that lies: any of a dozen kinds
        return f"{name} gives no vector: {told(wrong)}"
    worst = int(np.argmin(cosines))
    if cosines[worst] >= LEAST[name]:
        return ""
    return (
        f"{name} gives another vector than it gave: of {kept.names[worst]} the cosine between the two is "
        f"{cosines[worst]:.5f}, less than {LEAST[name]:g}"
    )


def told(wrong: Exception) -> str:
    """An exception by its kind and its text, on one line."""
    return f"{type(wrong).__name__}: {' '.join(str(wrong).split())[:300]}"


def _cosine(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape:
        return float("nan")
    return float(ours @ theirs / max(np.linalg.norm(ours) * np.linalg.norm(theirs), 1e-12))
