"""Checkpoints: the weights that val likes best, and all that is needed to go on after a kill.

In: a training at the end of a step. Out: trained.ckpt and last.ckpt, each whole or not there. Never: reads more than tensors
and plain values from a file.

    trained.ckpt  {"state_dict": of the embedder, "epoch": from 0, "score": of val}
    last.ckpt     Lightning's checkpoint: weights, average, memory, optimiser, schedule, loops; and the callbacks' states: where
                  in the epoch it stands, random states, the best epoch and the sha256 of its trained.ckpt
trained.ckpt is written first. A kill between the two makes the epoch be learnt again, to the same weights; until then
trained.ckpt is newer than what last.ckpt says of it, so the two are compared only when the training is over.
"""

import io
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lookalike import files
from lookalike.settings import DataError
from lookalike.training import randomness
from lookalike.training.callbacks import stepped
from lookalike.training.module import CHOSEN_BY, MetricLearner

TRAINED, LAST = "trained.ckpt", "last.ckpt"


@dataclass(frozen=True, kw_only=True)
class Best:
    """The epoch that val likes best so far."""

    epoch: int  # from 0
    score: float
    sha256: str = ""  # of its trained.ckpt; "" is not known: another process wrote it


class Keeper(Callback):
    """Writes both checkpoints at each epoch's end, and last.ckpt every so many steps within one; stops where val has stood still.

    It must stand behind every callback that has a state, and behind the one that writes the history: a line is written
    before the checkpoint that contains its step.

    every: steps between checkpoints within an epoch, 0 for none. patience: epochs without a better one before it stops.
    """

    def __init__(self, learner: MetricLearner, folder: Path, *, every: int = 0, patience: int = 0) -> None:
        self.learner, self.folder, self.every, self.patience = learner, folder, every, patience
        self.best: Best | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """A training that had stopped early, and was killed before it was measured, stops again."""
        self._stop(trainer, trainer.current_epoch - 1)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Within an epoch: its last step is followed by val, and has its turn afterwards."""
        due = self.every and trainer.global_step % self.every == 0
        if due and stepped(trainer, batch_idx) and not trainer.is_last_batch:
            trainer.save_checkpoint(self.folder / LAST)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """After val and the schedule have had their say."""
        score = float(trainer.callback_metrics[CHOSEN_BY])
        if self.best is None or score > self.best.score:
            sha256 = self._keep(trainer.current_epoch, score) if trainer.is_global_zero else ""
            self.best = Best(epoch=trainer.current_epoch, score=score, sha256=sha256)
        trainer.save_checkpoint(self.folder / LAST)
        self._stop(trainer, trainer.current_epoch)

    def state_dict(self) -> dict[str, Any]:
        """What is best so far, and how far every random stream has been drawn."""
        return {"best": asdict(self.best) if self.best else None, "random": randomness.state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; nothing is drawn between this and the first step."""
        self.best = Best(**state_dict["best"]) if state_dict["best"] else None
        randomness.restore(state_dict["random"])

    def _keep(self, epoch: int, score: float) -> str:
        path = self.folder / TRAINED
        write(path, {"state_dict": self.learner.kept.state_dict(), "epoch": epoch, "score": score})
        return files.sha256_of(path)

    def _stop(self, trainer: lightning.Trainer, epoch: int) -> None:
        """Stop where the last epoch done is too far from the best one."""
        if self.patience and self.best and epoch - self.best.epoch >= self.patience:
            trainer.should_stop = True


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or not there, as every file of this house; a full disk is said."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002
        """Write beside, sync, rename. Lightning's own goes through /tmp, whence a file is copied to another disk."""
        write(Path(path), checkpoint)


def write(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    held = io.BytesIO()
    torch.save(checkpoint, held)
    files.write_bytes(path, held.getvalue())


def step_of(checkpoint: Path) -> int:
    """After how many steps a last.ckpt was written; 0 where there is none, so that nothing has been learnt yet."""
    return int(_checked(checkpoint)["global_step"]) if checkpoint.exists() else 0


def resumable(checkpoint: Path) -> Path | None:
    """The checkpoint, if it is there; refused where it is damaged."""
    return checkpoint if step_of(checkpoint) else None


def _checked(path: Path) -> dict[str, Any]:
    """A last.ckpt whose every part has the checksum that it was written with."""
    try:
        with zipfile.ZipFile(path) as held:
            broken = held.testzip()
        if broken:
            raise ValueError(f"the checksum of its part {broken} is wrong")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if missing := {"state_dict", "optimizer_states", "callbacks", "loops", "global_step"} - state.keys():
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except Exception as wrong:  # damaged bytes make an unpickler raise almost anything
        raise DataError(
            f"{path}: cannot be gone on from ({wrong}): the disk has damaged it, as it was whole when written. Restore it "
            "from a copy, or remove it, and the same command begins this run anew"
        ) from wrong
    return state
