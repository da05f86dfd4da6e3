"""A release in a phone's pocket: small models, one vector a product, its facts, all by id.

In: a draft release, a catalog's tables, vectors and some of its pictures. Out: the folder phone/ of the draft. Never: needs a
server, leaves a photograph in it, or ships an ONNX model whose vectors are not nearly the float32 one's: that is measured.
The CoreML model runs on macOS alone: it is made of the same weights in the same way, and nobody has looked at its vectors.

    phone/manifest.json   what is here, how to read it, how near its model is to float32, and the share of the full catalog's 10
                          nearest products that its rounded vectors find
          model.onnx      filters of 8 bits; pictures (1, H, W, 3) uint8 of any size -> a unit vector
          model.mlpackage CoreML, the same; squares of the network's own size
          expected.npz    golden vectors: what model.onnx made of the release's golden pictures when it was written
          axes.f32        (D, d), where a catalog is large: a vector times this is what shape.i8 holds; else there is none
          shape.i8 color.i8   (P, d), (P, C) whole numbers -127..127; times their row's scale they are the vectors
          scales.f32      (P, 2): of the shape's row, of the color's
          ids.json        the product of each row
          products.json   product -> what is told of it
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lookalike import files
from lookalike.release import golden, session
from lookalike.release.looking import unresized
from lookalike.release.opened import Release
from lookalike.release.parity import OVERLAP_AT, overlap
from lookalike.settings import LookalikeError

FOLDER: Final = "phone"
FORMAT: Final = 1
PAGE: Final = Path(__file__).with_name("phone_page")  # an example that opens a bundle in a browser
NOT_HERE: Final = "CoreML predicts on macOS alone: made of the same weights, not run"
LEAST: Final = 0.99  # mean cosine between its model's vectors and float32's
ROOM: Final = (
    6_500_000  # bytes for shape vectors and their axes: 5,000 products with both EfficientNet-Lite0 models take 24 MB
)
TOLD: Final = ("name", "brand", "category", "color", "price", "currency", "rating", "url")
BLOCK: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Near:
    """How near the phone's model is to float32."""

    pictures: int
    mean: float  # cosine
    least: float
    overlap: float  # share of float32's 10 nearest among these pictures

    def told(self) -> dict[str, Any]:
        """As manifest.json holds it."""
        return {
            "pictures": self.pictures,
            "cosine": {"min": self.least, "mean": self.mean},
            f"of the {OVERLAP_AT} nearest": self.overlap,
        }


def write(
    draft: Path,
    release: Release,
    table: pl.DataFrame,
    products: pl.DataFrame,
    shape: np.ndarray,
    color: np.ndarray,
    *,
    squares: Sequence[np.ndarray] = (),
    threads: int = 2,
    told: Mapping[str, Any],
) -> None:
    """Fill phone/ of a draft. table: one row a picture; shape (N, D) by the float32 model, color (N, C), in its order.

    Not by an int8 one: its vectors may have turned, and CoreML's have not. squares: pictures (S, S, 3) that the phone's model
    is to embed as float32 does, beside the golden ones. told: what else the manifest says of the catalog.
    """
    here = draft / FOLDER
    here.mkdir()
    near = _models(release, here, squares, threads)
    rows = _rows(here, table["product"].to_numpy(), shape, color)
    facts_of = _told(rows["keys"], products)
    files.write_text(here / "ids.json", _packed(rows["keys"]))
    files.write_text(here / "products.json", _packed(facts_of))
    facts = {
        **told,
        "kind": "lookalike phone bundle",
        "format": FORMAT,
        "release": release.label,
        "products": len(rows["keys"]),
        "dimensions": rows["dimensions"],
        "preprocessing": release.preprocessing,
        "color": release.color_options,
        "color weight": release.color_weight,
        "of the 10 nearest": rows["overlap"],
        "model.onnx beside float32": near.told(),
        "model.mlpackage beside float32": NOT_HERE if (here / "model.mlpackage").is_dir() else "not made",
        "bytes": {one.name: _size(one) for one in sorted(here.iterdir())},
    }
    files.write_json(here / "manifest.json", facts)


def _packed(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


# Models


def _models(release: Release, here: Path, squares: Sequence[np.ndarray], threads: int) -> Near:
    """Write the small models; LookalikeError where the ONNX one is not near enough."""
    from lookalike.release import small

    models = release.folder / "model"
    small.onnx(models / "float32.onnx", here / "model.onnx")
    whole, ours = (session.embedder(one, threads=threads) for one in (models / "float32.onnx", here / "model.onnx"))
    pictures = golden.pictures_of(release.folder, release.manifest["files"])
    drawn = [unresized(one.data, release.preprocessing) for one in pictures]
    seen = _seen(ours, [*drawn, *squares])
    near = _near(seen, _seen(whole, [*drawn, *squares]))
    _refuse(near, release)
    golden.keep(here / golden.EXPECTED, pictures, {"phone": seen[: len(pictures)]})
    if (models / "phone.mlpackage").is_dir():
        small.coreml(models / "phone.mlpackage", here / "model.mlpackage")
    return near


def _seen(model: Callable[[np.ndarray], np.ndarray], pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The vectors of pictures of any sizes (P, D)."""
    return np.concatenate([model(np.asarray(one)[None]) for one in pictures])


def _near(ours: np.ndarray, whole: np.ndarray) -> Near:
    cosine = np.einsum("nd,nd->n", ours, whole)
    return Near(pictures=len(ours), mean=float(cosine.mean()), least=float(cosine.min()), overlap=overlap(ours, whole))


def _refuse(near: Near, release: Release) -> None:
    if not near.mean >= LEAST:
        raise LookalikeError(
            f"{release.label}: no bundle for a phone: with filters of 8 bits its model's vectors have a mean cosine of "
            f"{near.mean:.4f} with float32's (least {near.least:.4f}), less than {LEAST:g}, and find {near.overlap:.0%} of the "
            f"{OVERLAP_AT} nearest, over {near.pictures} pictures. Leave phone=true out, or export a run of another network or "
            "without a finish, and index that"
        )


# Products


def _rows(here: Path, owner: np.ndarray, shape: np.ndarray, color: np.ndarray) -> dict[str, Any]:
    """Write a row a product; answer whose each is, how wide, and what the rounding kept."""
    keys, whole, tint = _by_product(owner, shape, color)
    axes = widest(whole, axes_for(len(keys), whole.shape[1]))
    packed, scale = packed_rows(whole if axes is None else _unit(whole @ axes))
    painted, shade = packed_rows(tint)
    if axes is not None:
        files.write_bytes(here / "axes.f32", axes.astype("<f4").tobytes())
    files.write_bytes(here / "shape.i8", packed.tobytes())
    files.write_bytes(here / "color.i8", painted.tobytes())
    files.write_bytes(here / "scales.f32", np.stack([scale, shade], axis=1).astype("<f4").tobytes())
    return {
        "keys": keys,
        "dimensions": {"shape": packed.shape[1], "of": whole.shape[1], "color": tint.shape[1]},
        "overlap": overlap(unpacked(packed, scale), whole),
    }


def axes_for(products: int, width: int) -> int:
    """How many numbers of each vector there is room for."""
    return width if products * width <= ROOM else max(1, min(width, ROOM // (products + 4 * width)))


def widest(vectors: np.ndarray, axes: int) -> np.ndarray | None:
    """The directions along which vectors (N, D) reach furthest from nothing, (D, d); None where all are kept."""
    if vectors.shape[1] <= axes:
        return None
    return np.ascontiguousarray(np.linalg.eigh(vectors.T @ vectors)[1][:, : -axes - 1 : -1], np.float32)


def packed_rows(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (P, D) as whole numbers -127..127 (P, D) int8, and what each row is to be multiplied by (P,)."""
    scale = np.maximum(np.abs(vectors).max(1), 1e-12) / 127
    return np.rint(vectors / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def unpacked(packed: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The vectors again, of length one (P, D)."""
    return _unit(packed.astype(np.float32) * scale[:, None])


def _by_product(owner: np.ndarray, shape: np.ndarray, color: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Products in the order of their keys, and the mean of each one's views, of length one again."""
    keys, at = np.unique(owner, return_inverse=True)
    return [str(key) for key in keys], _mean(shape, at, len(keys)), _mean(color, at, len(keys))


def _mean(vectors: np.ndarray, at: np.ndarray, count: int) -> np.ndarray:
    total = np.zeros((count, vectors.shape[1]), np.float32)
    for start in range(0, len(at), BLOCK):  # as float32 a block at a time
        np.add.at(total, at[start : start + BLOCK], vectors[start : start + BLOCK].astype(np.float32))
    return _unit(total)


def _unit(vectors: np.ndarray) -> np.ndarray:
    long: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return long.astype(np.float32)


def _told(keys: Sequence[str], products: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """What a card shows of each product; what the catalog does not know is left out."""
    rows: Mapping[str, dict[str, Any]] = {row["product"]: row for row in products.iter_rows(named=True)}
    return {key: {name: rows[key][name] for name in TOLD if _is_known(rows[key].get(name))} for key in keys}


def _is_known(value: Any) -> bool:
    return value is not None and value != "" and value == value  # nan is not itself


def _size(path: Path) -> int:
    inside = path.rglob("*") if path.is_dir() else [path]
    return sum(one.stat().st_size for one in inside if one.is_file())
