"""A release as a server opens it: ONNX Runtime, numpy, polars and FAISS, without torch.

In: a folder. Out: a `Release`, whose models and tables load when they are asked for. Never: opens a folder whose manifest does
not match, one of another format, or anything that must be unpickled; or builds a path of what a manifest says before it has
looked at it.

Its id is the first 12 digits of a hash over every file's name and content, and over what the manifest says but for when it
was made: neither can be altered and still be called so.

    releases/NAME/ID/
      manifest.json                     what it is, and the sha256 of every file; written last
      model/float32.onnx int8.onnx      pixels of any size -> unit vectors
      model/weights.safetensors program.pt2 phone.mlpackage/
      preprocessing.json settings.yaml color.json
      metrics.json per_query.parquet    of the served model, on the frozen test
      parity.json card.md golden/
      index/                            after `lookalike index`: see shelf.py
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
import yaml

from lookalike import files
from lookalike.features.color_histogram import color_histogram
from lookalike.release import session
from lookalike.release.session import Embed
from lookalike.settings import DataError, folder_fault

KIND: Final = "lookalike release"
FORMAT: Final = 1
NEEDED: Final = ("preprocessing.json", "color.json", "metrics.json", "per_query.parquet", "golden/expected.npz")
TEXTS: Final = ("name", "id", "made", "run", "commit", "dataset", "serves", "match")
FACTS: Final = (*TEXTS, "indexed")
MODELS: Final = ("float32", "int8")  # that a server may be told to load
ID: Final = re.compile("[0-9a-f]{12}")
UNHASHED: Final = ("id", "made", "files")  # of the manifest; of the files their hashes are taken


@dataclass(frozen=True)
class Release:
    """One release; its folder was whole when it was opened, and nobody changes it."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def label(self) -> str:
        """NAME/ID."""
        return f"{self.manifest['name']}/{self.manifest['id']}"

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What its models want of a picture."""
        return self._json("preprocessing.json")

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the run that learnt it."""
        told: dict[str, Any] = yaml.safe_load((self.folder / "settings.yaml").read_text("utf-8"))
        return told

    @property
    def metrics(self) -> dict[str, Any]:
        """What the served model showed on the frozen test."""
        return self._json("metrics.json")

    @property
    def per_query(self) -> pl.DataFrame:
        """One row a query of that test."""
        return pl.read_parquet(self.folder / "per_query.parquet")

    def shape(self, *, threads: int = 2) -> Embed:
        """The served model: pictures (B, H, W, 3) uint8 -> unit vectors (B, D)."""
        return self.model(str(self.manifest["serves"]), threads=threads)

    def model(self, name: str, *, threads: int = 2) -> Embed:
        """One of its ONNX models, by name."""
        return session.embedder(self.folder / "model" / f"{name}.onnx", threads=threads)

    def color(self) -> Embed:
        """Its color feature: squares (B, S, S, 3) uint8 -> unit vectors (B, C)."""
        return partial(color_histogram, **self.color_options)

    @property
    def color_options(self) -> dict[str, Any]:
        """How its color feature is taken."""
        told: dict[str, Any] = self._json("color.json")["options"]
        return told

    @property
    def color_weight(self) -> float:
        """How much color counts where nobody says."""
        return float(self._json("color.json").get("weight") or 0.0)

    def models(self) -> list[str]:
        """The names of its ONNX models."""
        return [name for name in MODELS if (self.folder / "model" / f"{name}.onnx").is_file()]

    def _json(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / name).read_text("utf-8"))
        return told


def open_release(folder: Path) -> Release:
    """The release in a folder, or a DataError that says what is wrong with it."""
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no release here; `lookalike export RUN` makes one")
    manifest = files.sealed(folder)
    if manifest.get("kind") != KIND:
        raise DataError(
            f"{folder}: not a release, its manifest says {manifest.get('kind')!r}; give a folder under releases/"
        )
    if manifest.get("format") != FORMAT:
        raise DataError(
            f"{folder}: a release of format {manifest.get('format')!r}, and this lookalike reads {FORMAT}; "
            "export its run again, or use the lookalike that made it"
        )
    if fault := manifest_fault(manifest):
        raise DataError(f"{folder}: {fault}; export its run again")
    if (found := identity(manifest, manifest["files"])) != manifest["id"]:
        raise DataError(
            f"{folder}: refused: its manifest was altered. What it says is of the release {found}, and it calls itself "
            f"{manifest['id']}; restore it whole, or export its run again"
        )
    return Release(folder, manifest)


def identity(facts: Mapping[str, Any], listed: Mapping[str, Mapping[str, Any]]) -> str:
    """The id of a release that says these facts and has these files (name -> sha256 and more)."""
    said = {name: value for name, value in facts.items() if name not in UNHASHED}
    lines = [f"{name} {listed[name]['sha256']}" for name in sorted(listed)]
    return hashlib.sha256("\n".join([*lines, json.dumps(said, sort_keys=True)]).encode()).hexdigest()[:12]


def manifest_fault(manifest: Mapping[str, Any]) -> str:
    """What a manifest lacks, or says that cannot be; "" where nothing is wrong."""
    needed = (*NEEDED, f"model/{manifest.get('serves')}.onnx")
    lacking = [name for name in FACTS if name not in manifest]
    lacking += [name for name in needed if name not in manifest["files"]]
    if lacking:
        return f"its manifest tells no {', no '.join(lacking)}"
    wrong = [name for name in TEXTS if not isinstance(manifest[name], str)]
    if not isinstance(manifest["indexed"], str | None):
        wrong.append("indexed")
    wrong = wrong or [name for name, is_sound in SOUND.items() if not is_sound(manifest[name])]
    return "; ".join(f"its manifest says {name}={manifest[name]!r}, which cannot be" for name in wrong)


def _is_run(said: str) -> bool:
    return files.inside(said) and len(said.split("/")) == 2


SOUND: Final[Mapping[str, Callable[[str], bool]]] = {
    "name": lambda said: not folder_fault(said),
    "id": lambda said: bool(ID.fullmatch(said)),
    "run": _is_run,
    "serves": lambda said: said in MODELS,
}
