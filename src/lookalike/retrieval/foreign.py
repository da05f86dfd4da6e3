"""Vectors that another program made: read from its file, and put beside a table's pictures by their ids.

In: an .npz file with the arrays `images` (N,) and `vectors` (N, D), or a .parquet file with the columns `image` and `vector`
(a list of numbers); beside it, if its maker knows, a .json with name, seed and training_minutes. Out: unit vectors in a
table's order. Never: unpickles, or joins by position.
"""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lookalike import files
from lookalike.settings import ConfigError, DataError

TOLD: Final[dict[str, Callable[[Any], Any]]] = {"name": str, "seed": int, "training_minutes": float}
SAYS = "an .npz file with arrays `images` and `vectors`, or a .parquet file with columns `image` and `vector`"


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """Pictures' vectors, brought to unit length."""

    path: Path
    sha256: str
    images: pl.Series  # (N,) ids, none twice
    vectors: np.ndarray  # (N, D) float32
    told: dict[str, Any]  # those of TOLD that its maker says

    def of(self, table: pl.DataFrame) -> np.ndarray:
        """The vectors of a table's pictures, in its order; a DataError where some are missing."""
        rows = pl.DataFrame({"image": self.images}).with_row_index("row")
        found = table.select("image").join(rows, on="image", how="left", maintain_order="left")
        missing = found.filter(pl.col("row").is_null())["image"]
        if len(missing):
            raise DataError(
                f"{self.path}: has no vector for {len(missing)} of {len(table)} pictures, such as {missing[0]!r}; it has "
                f"{len(self.images)}, such as {self.images[0]!r}. Embed them too, each under the data set's image id"
            )
        rows_of_table = found["row"].to_numpy()
        return np.ascontiguousarray(self.vectors[rows_of_table])


def read(*, file: str = "") -> Foreign:
    """Read a file of vectors; a DataError says what is wrong with it."""
    if not file:
        raise ConfigError(f"embedder=vectors reads {SAYS}; add embedder.file=FILE")
    path = Path(file).expanduser()
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give {SAYS}")
    images, vectors = _parquet(path) if path.suffix == ".parquet" else _npz(path)
    if vectors.ndim != 2 or not vectors.shape[1] or images.ndim != 1 or len(images) != len(vectors) or not len(images):
        raise DataError(
            f"{path}: {images.shape} image ids and vectors of the shape {vectors.shape}; one id and one vector of the same "
            "length are wanted for each picture"
        )
    ids = pl.Series(images.astype(str), dtype=pl.String)
    twice = ids.filter(ids.is_duplicated())
    if len(twice):
        raise DataError(
            f"{path}: {twice.n_unique()} images have several vectors, such as {twice[0]!r}; keep one of each"
        )
    return Foreign(
        path=path, sha256=files.sha256_of(path), images=ids, vectors=_unit(path, ids, vectors), told=_told(path)
    )


def _told(path: Path) -> dict[str, Any]:
    """What lies beside it: the method's name, the seed, the minutes of training; {} where nothing does."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return {}
    try:
        said = json.loads(beside.read_text("utf-8"))
        kept = {name: kind(said[name]) for name, kind in TOLD.items() if name in said}
    except (ValueError, TypeError, AttributeError, OSError) as wrong:
        raise DataError(
            f"{beside}: cannot be read ({wrong}); give an object with name, a whole seed and training_minutes, or remove it"
        ) from None
    return kept


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as held:
            return held["images"], held["vectors"]
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as wrong:
        told = " ".join(str(wrong).split())
        raise DataError(f"{path}: cannot be read ({told}); give {SAYS}, of text and numbers alone") from None


def _parquet(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        table = pl.read_parquet(path, columns=["image", "vector"])
        lists = table["vector"].cast(pl.List(pl.Float64))
        images = table["image"].cast(pl.String)
    except (OSError, pl.exceptions.PolarsError) as wrong:
        raise DataError(f"{path}: cannot be read ({' '.join(str(wrong).split())}); give {SAYS}") from None
    lengths = lists.list.len()
    if lengths.n_unique() != 1 or images.has_nulls():
        raise DataError(
            f"{path}: has {images.null_count()} images without an id, and vectors of {lengths.n_unique()} different lengths; "
            "give each an id, and all the same length"
        )
    return images.to_numpy(), lists.list.to_array(lengths[0]).to_numpy()


def _unit(path: Path, images: pl.Series, vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, D) of any length brought to one, float32."""
    try:
        values = vectors.astype(np.float64)
    except ValueError:
        raise DataError(f"{path}: its vectors are of {vectors.dtype}, not of numbers; give {SAYS}") from None
    lengths = np.linalg.norm(values, axis=1)
    unfit = ~(np.isfinite(lengths) & (lengths > 0))
    if unfit.any():
        raise DataError(
            f"{path}: {unfit.sum()} of {len(unfit)} vectors have no direction (zero, or not finite), such as that of "
            f"{images[int(unfit.argmax())]!r}; leave these pictures' vectors out, or mend them"
        )
    unit: np.ndarray = (values / lengths[:, None]).astype(np.float32)
    return unit
