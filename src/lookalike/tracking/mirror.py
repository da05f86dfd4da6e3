"""What W&B shows of a run: the run folder, mirrored. The only file that imports wandb, and only when it is asked for.

In: settings, the scalars that history.jsonl gets, the results that metrics.json gets. Out: a W&B run, or a sentence that says why
there is none. Never: shows what the run folder does not hold, ends a training that has begun, prints, or tells who trains.
"""

import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lookalike import files
from lookalike.settings import LookalikeError, Train
from lookalike.tracking import record

if TYPE_CHECKING:
    import wandb

Picture = Callable[[str], np.ndarray]  # image id -> (S, S, 3) uint8
Twins = Callable[[str, str], bool]  # whether two image ids are twins

ROWS, SHOWN = 50, 5  # queries in the table, and the nearest of each
LOGIN_SECONDS, UPLOAD_SECONDS = 30, 300  # how long W&B is waited for
TOLD = (
    "dataset",
    "commit",
    "code",
    "seed",
    "python",
    "packages",
)  # of environment.json; not the command, nor the machine
OFFLINE = {"offline", "dryrun"}
STAGING = "WANDB_DATA_DIR"
MEND = "run `wandb login`, or set WANDB_MODE=offline to keep it on this machine"


@dataclass
class Mirror:
    """A run's mirror. Where there is none, or it broke, it takes everything and does nothing, and `why` says so."""

    settings: Train
    why: str = ""  # no mirror, or not the whole of it; "" where all is well, or none was asked for
    where: str = ""  # the run's address, or how it gets there
    run: "wandb.Run | None" = None
    lines: int = 0  # of the history, handed over so far

    @contextmanager
    def of(self, folder: Path) -> Iterator[None]:
        """Mirror the run in a folder while the block runs; what it holds already (a resumed run) comes first."""
        if not self.why and self.settings.tracking != "local":
            self._begin(folder)
        try:
            yield
        except BaseException:
            self._end(1)
            raise
        self._end(0)

    def log(self, scalars: Mapping[str, float], step: int, epoch: int) -> None:
        """A line of history.jsonl. W&B counts the lines, so a resumed run sends none that is there already."""
        self._send({"step": step, "epoch": epoch, **scalars})

    def finish(
        self,
        metrics: Mapping[str, Any],
        per_query: pl.DataFrame,
        manifest: Mapping[str, Any],
        picture: Picture,
        twins: Twins,
    ) -> None:
        """The results: figures, queries with their nearest pictures, the data set version (without its pictures), the weights."""
        if not self.run or self.why:
            return
        folder = _folder_of(self.run)
        with self._unharmed(), staged_in(folder):
            self.run.summary.update(flat(metrics))
            self.run.log({"queries": _table(chosen(per_query), picture, twins)})
            self.run.log_artifact(_dataset(manifest, folder))
            if "checkpoint" in metrics:
                self.run.log_artifact(_weights(metrics, self.settings.name, folder))

    def _begin(self, folder: Path) -> None:
        with self._unharmed():
            self._open(folder)
        if self.why and self.settings.tracking == "wandb":
            raise LookalikeError(f"tracking=wandb: {self.why}; {MEND}, or train with tracking=local")
        for line in record.history_of(folder):
            self._send(line)

    def _send(self, line: Mapping[str, Any]) -> None:
        if self.run and not self.why and self.lines >= self.run.starting_step:
            with self._unharmed():
                self.run.log(dict(line), step=self.lines, commit=True)
        self.lines += 1

    def _open(self, folder: Path) -> None:
        self.run = _opened(self.settings, folder)
        self.where = self.run.url or f"`wandb sync {Path(self.run.dir).parent}` sends it"

    def _end(self, code: int) -> None:
        if self.run:
            with self._unharmed():
                self.run.finish(exit_code=code)
            if self.why:
                forget()
        self.run = None

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """W&B is a network, a process and a disk: whatever breaks there ends the mirror, and never the training."""
        try:
            yield
        except Exception as wrong:
            told = " ".join(str(wrong).split())[:300]
            self.why = (
                f"W&B does not show the whole of this run ({type(wrong).__name__}: {told}); the run folder has it all"
            )


def ready(settings: Train) -> Mirror:
    """A mirror, looked for before any work. Where it cannot be, `tracking=wandb` stops here and `both` does without."""
    lacks = "" if settings.tracking == "local" else fault()
    if lacks and settings.tracking == "wandb":
        raise LookalikeError(f"tracking=wandb: {lacks}; or train with tracking=local")
    return Mirror(settings, why=lacks and f"W&B will not show this run: {lacks}")


def flat(metrics: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """What metrics.json holds, by flat names: test/recall@1, test/recall@1/low, test/recall@1/high."""
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        at = f"{above}/{name}" if above else name
        if isinstance(value, Mapping):
            found |= flat(value, at)
        elif name == "ci95":
            found |= {f"{above}/low": value[0], f"{above}/high": value[1]}
        else:
            found[above if name == "value" and "ci95" in metrics else at] = value
    return found


def chosen(per_query: pl.DataFrame, rows: int = ROWS) -> pl.DataFrame:
    """The queries whose twin came last, and as many drawn at random, which show how it mostly goes."""
    ordered = per_query.sort(["rank", "score", "image"], descending=[True, True, False])
    last, others = ordered.head(rows // 2), ordered.slice(rows // 2).sort("image")
    drawn = others.sample(min(rows - rows // 2, len(others)), seed=0)
    return pl.concat([last.with_columns(chosen=pl.lit("found last")), drawn.with_columns(chosen=pl.lit("at random"))])


def fault() -> str:
    """What keeps W&B from showing a run, with the mend; "" if nothing does."""
    try:
        import wandb

        said = wandb.setup(settings=wandb.Settings(silent=True)).settings
    except (ImportError, AttributeError) as wrong:  # a folder that is called wandb is imported as an empty package
        return f"wandb cannot be imported ({wrong}); install it: pip install 'wandb>=0.31'"
    except ValueError as wrong:
        return f"wandb refuses its own settings ({' '.join(str(wrong).split())[:300]}); mend the WANDB_ variable that it names"
    if said.mode == "disabled":
        return "WANDB_MODE=disabled switches it off; unset it"
    return "" if said.mode in OFFLINE else _login_fault(said.base_url)


def _login_fault(server: str) -> str:
    import wandb

    try:
        known = wandb.login(prompt=False, verify=True)
    except wandb.Error as wrong:
        return f"{server} cannot be logged in to ({' '.join(str(wrong).split())[:300]}); {MEND}"
    return "" if known else f"nobody is logged in at {server}; {MEND}"


def _opened(settings: Train, folder: Path) -> "wandb.Run":
    import wandb

    quiet = wandb.Settings(
        console="off",
        silent=True,
        quiet=True,
        init_timeout=LOGIN_SECONDS,
        finish_timeout=UPLOAD_SECONDS,
        finish_timeout_raises=True,
        use_dot_wandb=False,
        program="lookalike",  # else it tells the path of this one
        **private(),
    )
    told = record.environment_of(folder)
    run = wandb.init(
        project=settings.wandb.project,
        entity=settings.wandb.entity or None,
        group=settings.wandb.group or None,
        name=f"{folder.parent.name}/{folder.name}",
        job_type="train",
        dir=str(folder.resolve()),
        id=_id(folder),
        resume="allow",
        config={**record.what(record.plain(settings)), "environment": {name: told.get(name) for name in TOLD}},
        settings=quiet,
        reinit="create_new",
    )
    run.define_metric("*", step_metric="step")
    return run


def forget() -> None:
    """Be done with wandb's own process: where it broke, it would be asked once more when this one ends, with a stack trace."""
    import wandb

    with suppress(Exception):  # it broke, and that was told
        wandb.teardown()


def private() -> dict[str, Any]:
    """No code, no git, no user, no machine, no meters: W&B is told what the run folder says, and nothing else."""
    off = ("disable_code", "disable_git", "x_disable_meta", "x_disable_stats", "x_disable_machine_info")
    return {**dict.fromkeys(off, True), "save_code": False, "x_save_requirements": False, "host": "", "username": ""}


def _id(folder: Path) -> str:
    """The run's name at W&B, kept in its folder: a resumed run goes on there too. An agent of a W&B sweep says it itself."""
    path = folder / "wandb" / "id"
    if not path.exists():
        said = os.environ.get("WANDB_RUN_ID", "") if "WANDB_SWEEP_ID" in os.environ else ""
        files.write_text(path, (said or secrets.token_hex(4)) + "\n")
    return path.read_text().strip()


def _folder_of(run: "wandb.Run") -> Path:
    return Path(run.settings.root_dir)


@contextmanager
def staged_in(folder: Path) -> Iterator[None]:
    """W&B copies what it will upload, photographs too, into the user's home, for ever when offline. Here: into the run."""
    if STAGING in os.environ:  # the user has a place for it
        yield
        return
    os.environ[STAGING] = str(folder / "wandb")
    try:
        yield
    finally:
        del os.environ[STAGING]


def _table(rows: pl.DataFrame, picture: Picture, twins: Twins) -> "wandb.Table":
    import wandb

    def shown(image: str, caption: str) -> wandb.Image:
        return wandb.Image(picture(image), caption=caption, file_type="jpg")

    said = [
        name for name in ("image", "product", "category", "brand", "color", "rank", "score") if name in rows.columns
    ]
    table = wandb.Table(columns=["chosen", "hit", *said, "query", *(f"nearest {place + 1}" for place in range(SHOWN))])
    for row in rows.iter_rows(named=True):
        near: list[wandb.Image | None] = [
            shown(other, f"{'twin' if twins(row['image'], other) else 'stranger'}: {other}")
            for other in row["nearest"][:SHOWN]
        ]
        near += [None] * (SHOWN - len(near))  # a small gallery
        facts = (row[name] for name in said)
        table.add_data(row["chosen"], row["rank"] == 1, *facts, shown(row["image"], row["image"]), *near)
    return table


def _dataset(manifest: Mapping[str, Any], folder: Path) -> "wandb.Artifact":
    """The data set version by what its manifest says: name, version, counts, splits, checksums. No picture, no path."""
    import wandb

    facts = {
        name: manifest[name] for name in ("name", "version", "parent", "counts", "split", "files") if name in manifest
    }
    path = folder / "wandb" / "dataset.json"
    files.write_json(path, facts)
    artifact = wandb.Artifact(plain(f"dataset-{facts['name']}"), "dataset", metadata=facts)
    artifact.add_file(str(path), policy="mutable", skip_cache=True)
    return artifact


def _weights(metrics: Mapping[str, Any], name: str, folder: Path) -> "wandb.Artifact":
    """The chosen weights. wandb tells the server where each file lay, so it is handed a copy."""
    import wandb

    told = {name: metrics[name] for name in ("checkpoint", "chosen") if name in metrics}
    artifact = wandb.Artifact(plain(f"model-{name}"), "model", metadata=told)
    artifact.add_file(str(folder / metrics["checkpoint"]["file"]), policy="mutable", skip_cache=True)
    return artifact


def plain(name: str) -> str:
    """A name as W&B takes it for an artifact."""
    return re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)
