"""A promoted release at W&B: an artifact, an output of the run that learnt it, under the aliases that the registry's names are.

In: the folders that champion and previous point at. Out: versions of one artifact, or a sentence that says why there are none.
Never: sends more than models, drawn pictures, figures and the card (what a catalog or a test shows stays here), tells where
things lie on this machine, undoes a promotion, or prints.

All releases are versions of one artifact whatever their names, since of one artifact an alias has one place: it moves as the
pointer did. What W&B has already it is not sent again.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lookalike import files
from lookalike.settings import LookalikeError, Promote, Rollback
from lookalike.tracking import mirror

if TYPE_CHECKING:
    import wandb

NAME: Final = "releases"
SENT: Final = ("model", "golden")  # folders of a release, and beside them...
SENT_BESIDE: Final = ("card.md", "metrics.json", "parity.json", "preprocessing.json", "color.json")
TOLD: Final = (
    *("kind", "format", "name", "id", "made", "run", "commit", "dataset", "serves", "match", "indexed"),
)  # of the manifest
MEND: Final = "run `wandb login` and unset WANDB_MODE, then the next promotion shows both"


def check(settings: Promote | Rollback) -> None:
    """LookalikeError where W&B must show the release and cannot; asked before anything is moved."""
    if settings.tracking == "wandb" and (lacks := _lacks()):
        raise LookalikeError(f"tracking=wandb: {lacks}; or promote with tracking=local")


def shown(pointed: Mapping[str, Path], settings: Promote | Rollback) -> str:
    """Send what the aliases point at, and say where it is. The registry is moved already: what breaks here changes nothing."""
    if lacks := _lacks():
        return f"W&B will not show this release: {lacks}"
    try:
        places = [f"{alias} {_sent(alias, folder, settings)}" for alias, folder in pointed.items()]
    except Exception as wrong:  # a network, a process, a server: whatever breaks there
        mirror.forget()
        told = " ".join(str(wrong).split())[:300]
        return f"W&B did not take the release ({type(wrong).__name__}: {told}); the registry has it all"
    return f"At W&B: {', '.join(places)}"


def _lacks() -> str:
    """Why W&B cannot show a release now; "" where it can."""
    if fault := mirror.fault():
        return fault
    import wandb

    if wandb.setup().settings.mode in mirror.OFFLINE:
        return f"it is offline, and champion and previous are aliases, which need a login; {MEND}"
    return ""


def _sent(alias: str, folder: Path, settings: Promote | Rollback) -> str:
    """Send one release, and answer its name there."""
    manifest = files.manifest(folder)
    label = f"{manifest['name']}/{manifest['id']}"
    with tempfile.TemporaryDirectory(prefix="lookalike.") as here, mirror.staged_in(Path(here)):
        run = _opened(label, _learnt_by(manifest, settings), settings, here)
        try:
            logged = run.log_artifact(_artifact(folder, manifest), aliases=[alias, mirror.plain(label)])
            logged.wait(timeout=mirror.UPLOAD_SECONDS)
            return str(logged.qualified_name)
        finally:
            run.finish()


def _opened(label: str, run: str, settings: Promote | Rollback, here: str) -> "wandb.Run":
    """The run at W&B that the release is an output of: the one that learnt it, or one of its own where that is not there."""
    import wandb

    quiet = wandb.Settings(
        console="off",
        silent=True,
        quiet=True,
        program="lookalike",  # else it tells the path of this one
        init_timeout=mirror.LOGIN_SECONDS,
        finish_timeout=mirror.UPLOAD_SECONDS,
        finish_timeout_raises=True,
        **mirror.private(),
    )
    own: dict[str, Any] = {"name": f"promote/{label}", "job_type": "promote"}
    return wandb.init(
        project=settings.wandb.project,
        entity=settings.wandb.entity or None,
        group=settings.wandb.group or None,
        dir=here,
        settings=quiet,
        reinit="create_new",
        **({"id": run, "resume": "allow"} if run else own),
    )


def _learnt_by(manifest: Mapping[str, Any], settings: Promote | Rollback) -> str:
    """What the mirror called the run at W&B; "" where the run was not mirrored, or is not on this machine."""
    said = str(manifest.get("run"))
    kept = Path(settings.paths.runs) / said / "wandb" / "id"
    return kept.read_text("utf-8").strip() if files.inside(said) and kept.is_file() else ""


def _artifact(folder: Path, manifest: Mapping[str, Any]) -> "wandb.Artifact":
    """The release's models, figures and card. wandb tells the server where each file lay, so it is handed copies of them."""
    import wandb

    told = {name: manifest[name] for name in TOLD if name in manifest}
    artifact = wandb.Artifact(NAME, "release", metadata=told)
    for name in sorted(manifest["files"]):
        if name in SENT_BESIDE or Path(name).parts[0] in SENT:
            artifact.add_file(str(folder / name), name=name, policy="mutable", skip_cache=True)
    return artifact
