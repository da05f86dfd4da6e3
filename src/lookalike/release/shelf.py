"""The catalog inside a release: products, pictures, their vectors, and the index that finds them.

In: vectors and tables, each row with the id that joins them; or the folder of a release. Out: its folder `index/`; a `Shelf`.
Never: joins anything by position, embeds, or opens a catalog whose parts do not belong together, however well it is sealed.

    index/index.json          which data set, which kind of index, what was measured of it, how wide its vectors are
          ids.npy             (N,) int64, rising: a picture's id in everything below
          shape.npy color.npy (N, D), (N, C) float16 unit vectors in the order of ids.npy
          search.faiss        the index, where the scan of all is not quick enough
          pictures.parquet    id, image, product, view, sha256, and where its thumbnail begins and how long it is
          products.parquet    one row a product: all that the catalog knows of it
          thumbnails.bin      JPEG after JPEG
"""

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lookalike import files
from lookalike.release.opened import Release
from lookalike.retrieval import index
from lookalike.retrieval.index import Ann
from lookalike.retrieval.scan import Found, Vectors
from lookalike.settings import DataError

FOLDER: Final = "index"
SEARCH: Final = "search.faiss"
PICTURES: Final = ("id", "image", "product", "view", "sha256", "thumbnail", "bytes")
BLOCK: Final = 4096  # rows that are written at a time


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A catalog that can be searched. Vectors stay on the disk until they are looked at. pictures: in the order of their ids."""

    folder: Path
    facts: dict[str, Any]
    vectors: Vectors
    ann: Ann | None
    pictures: pl.DataFrame
    products: pl.DataFrame

    def search(
        self, shape: np.ndarray, color: np.ndarray, weight: float, k: int, allowed: np.ndarray | None = None
    ) -> Found:
        """The k nearest pictures of queries (B, D), (B, C); allowed (N,) bool, in the order of `vectors.ids`."""
        return index.search(self.vectors, self.ann, shape, color, weight, k, allowed)


def id_of(image: str) -> int:
    """A picture's id: the first 63 bits of a hash of its name, so that it is the same in every catalog that has it."""
    return int.from_bytes(hashlib.sha256(image.encode()).digest()[:8], "big") >> 1


def ordered(table: pl.DataFrame) -> pl.DataFrame:
    """A data set's pictures with their ids, in the order of those."""
    ids = pl.Series("id", [id_of(image) for image in table["image"]], pl.Int64)
    if ids.n_unique() < len(ids):
        raise DataError(
            "two pictures of this data set have one id; import it again, so that each has a name of its own"
        )
    return table.with_columns(ids).sort("id")


def write(
    folder: Path,
    table: pl.DataFrame,
    products: pl.DataFrame,
    shape: np.ndarray,
    color: np.ndarray,
    ann: Ann | None,
    facts: dict[str, Any],
    thumbnails: Iterable[bytes],
) -> None:
    """Fill index/ of a draft. table: as `ordered` gives it; shape (N, D), color (N, C) and thumbnails in its order."""
    here = folder / FOLDER
    here.mkdir()
    _save(here / "ids.npy", table["id"].to_numpy())
    _save(here / "shape.npy", shape, np.float16)
    _save(here / "color.npy", color, np.float16)
    with (here / "thumbnails.bin").open("wb") as file:
        lengths = [file.write(data) for data in thumbnails]
    begins = np.concatenate([[0], np.cumsum(lengths)])[: len(lengths)]
    where = pl.DataFrame({"thumbnail": begins, "bytes": lengths}, schema={"thumbnail": pl.Int64, "bytes": pl.Int64})
    _save_table(here / "pictures.parquet", table.with_columns(where).select(PICTURES))
    shown = pl.col("product").is_in(table["product"].unique().to_list())
    _save_table(here / "products.parquet", products.filter(shown))
    if ann is not None:
        index.write(ann, here / SEARCH)
    wide = {"shape": shape.shape[1], "color": color.shape[1]}
    files.write_json(here / "index.json", {**facts, "dimensions": wide})


def _save(path: Path, rows: np.ndarray, kind: Any = None) -> None:
    """As np.save, but by the file's own write: numpy's own says of a full disk no more than that numbers are missing."""
    kind = np.dtype(kind or rows.dtype)
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": rows.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), BLOCK):
            file.write(rows[start : start + BLOCK].astype(kind).tobytes())


def _save_table(path: Path, table: pl.DataFrame) -> None:
    """By way of memory: polars tells of a full disk in words of its own."""
    packed = io.BytesIO()
    table.write_parquet(packed)
    files.write_bytes(path, packed.getvalue())


# Reading


def open_shelf(release: Release) -> Shelf:
    """The catalog of a release that has one; DataError where its parts are not there, or do not belong together."""
    label = release.label
    if not release.manifest["indexed"]:
        raise DataError(f"{label} has no catalog yet; `lookalike index {label} dataset=NAME` gives it one")
    here = release.folder / FOLDER
    try:
        shelf = _opened(here)
        faults = _faults(shelf)
    except DataError as wrong:
        faults = [str(wrong)]
    except Exception as wrong:  # a sealed file that lies raises whatever numpy, polars, json and FAISS raise
        faults = [f"{type(wrong).__name__}: {' '.join(str(wrong).split())[:300]}"]
    if faults:
        raise DataError(
            f"{here}: a catalog that cannot be searched: {'; '.join(faults)}. "
            f"`lookalike index {label} dataset=NAME` makes a release with another one"
        )
    return shelf


def _opened(here: Path) -> Shelf:
    vectors = Vectors(
        shape=_mapped(here / "shape.npy"), color=_mapped(here / "color.npy"), ids=np.array(_mapped(here / "ids.npy"))
    )
    facts = _object(here / "index.json")
    ann = index.read(here / SEARCH) if (here / SEARCH).is_file() else None
    return Shelf(
        folder=here,
        facts=facts,
        vectors=vectors,
        ann=ann.reaching(facts["efforts"]) if ann and facts.get("efforts") else ann,
        pictures=pl.read_parquet(here / "pictures.parquet").sort("id"),
        products=pl.read_parquet(here / "products.parquet"),
    )


def _object(path: Path) -> dict[str, Any]:
    told: Any = json.loads(path.read_text("utf-8"))
    if not isinstance(told, dict):
        raise DataError(f"{path.name} is no object")
    return told


def _mapped(path: Path) -> np.ndarray:
    found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _faults(shelf: Shelf) -> list[str]:
    """What of a catalog does not belong together. What needs other parts is not asked where those are wrong."""
    lacking = [name for name in PICTURES if name not in shelf.pictures.columns]
    lacking += ["product"] if "product" not in shelf.products.columns else []
    if lacking:
        return [f"its tables have no {', no '.join(lacking)}"]
    return [fault for told in (_of_vectors, _of_tables, _of_thumbnails, _of_search) if (fault := told(shelf))]


def _of_vectors(shelf: Shelf) -> str:
    shape, color = shelf.vectors.shape, shelf.vectors.color
    if not (shape.ndim == color.ndim == 2 and shelf.vectors.ids.ndim == 1 and shelf.vectors.ids.dtype == np.int64):
        return "its vectors are no rows of numbers with whole numbers as ids"
    wide, said = {"shape": shape.shape[1], "color": color.shape[1]}, shelf.facts.get("dimensions")
    return "" if said == wide else f"its vectors have {wide} numbers, and index.json says {said}"


def _of_tables(shelf: Shelf) -> str:
    if not np.array_equal(shelf.pictures["id"].to_numpy(), shelf.vectors.ids):
        return "pictures.parquet and ids.npy name other pictures"
    if shelf.products["product"].n_unique() < len(shelf.products):
        return "a product is twice in products.parquet"
    gone = set(shelf.pictures["product"]) - set(shelf.products["product"])
    return f"products.parquet has no {min(gone)}, and pictures of it are there" if gone else ""


def _of_thumbnails(shelf: Shelf) -> str:
    begins, lengths = (shelf.pictures[name].to_numpy() for name in ("thumbnail", "bytes"))
    there = (shelf.folder / "thumbnails.bin").stat().st_size
    fit = (begins >= 0) & (lengths >= 0) & (begins + lengths <= there)
    return "" if fit.all() else f"a thumbnail lies outside thumbnails.bin, which has {there} bytes"


def _of_search(shelf: Shelf) -> str:
    """One search says whether the index is of these vectors, and names only pictures that are there."""
    if shelf.ann is None:
        return ""
    try:
        shelf.search(shelf.vectors.shape[:1], shelf.vectors.color[:1], 0.5, 1)
    except DataError as wrong:
        return str(wrong)
    return ""


def thumbnail(shelf: Shelf, picture: int) -> bytes:
    """The JPEG of a picture, by its id; b"" where none was kept, KeyError where there is no such picture."""
    row = int(np.searchsorted(shelf.vectors.ids, picture))
    if row == len(shelf.vectors.ids) or shelf.vectors.ids[row] != picture:
        raise KeyError(f"{picture} is no picture of {shelf.folder}")
    with (shelf.folder / "thumbnails.bin").open("rb") as file:
        file.seek(shelf.pictures["thumbnail"][row])
        return file.read(shelf.pictures["bytes"][row])
