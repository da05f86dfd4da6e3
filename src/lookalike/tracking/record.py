"""The run folder: the local truth about a run.

In: settings, scalars, an evaluation's tables. Out: runs/<name>/<time>/. Never: trains, measures, or calls anything outside.

    settings.yaml metrics.json per_query.parquet history.jsonl checkpoints/ environment.json
metrics.json is written last: a folder without it is a run that did not finish.
"""

import io
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lookalike import files
from lookalike.settings import DataError

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "timm", "faiss-cpu", "numpy", "pillow", "simplejpeg", "polars")
NOT_THE_RUN = ("plan", "again", "paths")  # settings that say where or whether, not what


@dataclass(frozen=True)
class Record:
    """One run's folder while it is being written."""

    folder: Path

    def log(self, scalars: Mapping[str, float], step: int, epoch: int) -> None:
        """Add scalars to history.jsonl; each line stands at once, so a killed run keeps its curves."""
        with (self.folder / "history.jsonl").open("a", encoding="utf-8") as history:
            history.write(json.dumps({"step": step, "epoch": epoch, **scalars}) + "\n")

    def finish(self, metrics: Mapping[str, Any], per_query: pl.DataFrame) -> None:
        """Write the results; metrics.json comes last and says that the run is whole."""
        write_table(self.folder / "per_query.parquet", per_query)
        files.write_json(self.folder / "metrics.json", metrics)


def start(runs: Path, name: str, settings: Any, *, dataset: str, seed: int) -> Record:
    """Make the folder of a new run and write what is known before it begins."""
    folder = _new(runs / name)
    files.write_text(folder / "settings.yaml", yaml.safe_dump(plain(settings), sort_keys=False, allow_unicode=True))
    files.write_json(folder / "environment.json", environment(dataset=dataset, seed=seed))
    return Record(folder)


def plain(settings: Any) -> dict[str, Any]:
    """Settings as the YAML that would say them: a choice is its name and options side by side."""
    return {name: _plain(value) for name, value in asdict(settings).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"name", "options"}:
        return {"name": value["name"], **value["options"]}
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, dict) else value


def environment(*, dataset: str, seed: int) -> dict[str, Any]:
    """What a figure depends on besides its settings."""
    return {
        "command": " ".join(sys.argv),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": dataset,
        "seed": seed,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.platform()},
    }


def find(said: str, runs: Path) -> Path:
    """The finished run that a folder or a name (its newest) means."""
    for folder in (Path(said), runs / said):
        if (folder / "metrics.json").is_file():
            return folder
        finished = sorted(one.parent for one in folder.glob("*/metrics.json")) if folder.is_dir() else []
        if finished:
            return finished[-1]
        if (folder / "settings.yaml").is_file():
            raise DataError(f"run={said}: {folder} did not finish (it has no metrics.json); train it again")
    there = ", ".join(sorted(one.name for one in runs.iterdir())) if runs.is_dir() else ""
    raise DataError(f"run={said}: no such run; " + (f"under {runs} there are: {there}" if there else "train one first"))


def settings_of(folder: Path) -> dict[str, Any]:
    """What settings.yaml of a run says."""
    said: dict[str, Any] = yaml.safe_load((folder / "settings.yaml").read_text())
    return said


def dataset_of(folder: Path) -> str:
    """The data set version a run learnt from, as name@version."""
    told: dict[str, Any] = json.loads((folder / "environment.json").read_text())
    return str(told["dataset"])


def same_run(runs: Path, settings: Any, dataset: str) -> Path | None:
    """A finished run with these very settings on this very data set version, by this commit."""
    wanted = _what(plain(settings))
    for folder in _finished(runs / settings.name):
        told = json.loads((folder / "environment.json").read_text())
        if _what(settings_of(folder)) == wanted and told["dataset"] == dataset and told["commit"] == _commit():
            return folder
    return None


def write_table(path: Path, table: pl.DataFrame) -> None:
    """A Parquet file, whole or not at all."""
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    files.write_bytes(path, buffer.getvalue())


def _what(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in NOT_THE_RUN}


def _finished(folder: Path) -> Iterator[Path]:
    return (one.parent for one in sorted(folder.glob("*/metrics.json"), reverse=True))


def _new(folder: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
        try:
            (folder / f"{stamp}{suffix}").mkdir()
        except FileExistsError:  # another run of a sweep began in the same second
            continue
        return folder / f"{stamp}{suffix}"
    raise DataError(f"{folder}: a thousand runs began within one second; wait one")


def _commit() -> str:
    """The commit of the code that runs, with "+" where it has changes of its own; "" outside a checkout."""
    where = Path(__file__).parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(where), *words]  # fixed words: nothing of a user's reaches it
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603

    commit = git("rev-parse", "--short=12", "HEAD")
    return commit + ("+" if commit and git("status", "--porcelain", "--untracked-files=no") else "")
