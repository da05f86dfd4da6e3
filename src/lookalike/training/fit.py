"""Runs a training: Lightning's trainer around ready-made parts, the best weights kept by val.

In: a MetricLearner, batches, a run folder. Out: checkpoints/best.ckpt and last.ckpt, and what was logged. Never: reads test.
"""

import io
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, ProgressBar
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from lookalike import files
from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.models.embedder import Embedder
from lookalike.settings import DataError
from lookalike.training.module import CHOSEN_BY, MetricLearner

MEND = "restore it from a copy, or train again"
Log = Callable[[Mapping[str, float], int, int], None]  # scalars, step, epoch


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training left."""

    best: Path
    sha256: str  # of best, so that a reader can tell whether it is still these weights
    best_score: float
    best_epoch: int


class EpochDraws(Callback):
    """Tells the batches which epoch is drawn."""

    def __init__(self, batches: TrainingBatches) -> None:
        self.batches = batches

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Before the epoch's first batch."""
        self.batches.set_epoch(trainer.current_epoch)


class ToRecord(Callback):
    """Hands every logged scalar on."""

    def __init__(self, log: Log) -> None:
        self.hand_on = log  # not `log`: Lightning puts its own function under that name
        self.rates: dict[str, float] = {}

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:  # noqa: ARG002
        """Before a step: the rates it will learn at; once it is done the schedule has moved on."""
        self.rates = {f"lr/{number}": group["lr"] for number, group in enumerate(trainer.optimizers[0].param_groups)}

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:  # noqa: ARG002
        """After a step: its loss and the rates it learnt at."""
        loss = float(trainer.callback_metrics["train/loss"])
        self.hand_on({"train/loss": loss, **self.rates}, trainer.global_step, trainer.current_epoch)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """After an epoch: how val stands."""
        if not trainer.sanity_checking:
            self.hand_on(
                {CHOSEN_BY: float(trainer.callback_metrics[CHOSEN_BY])}, trainer.global_step, trainer.current_epoch
            )


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or not there, as every file of this house; a full disk is said."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002
        """Write beside, sync, rename. Lightning's own goes through /tmp, whence a file is copied to another disk."""
        held = io.BytesIO()
        torch.save(checkpoint, held)
        files.write_bytes(Path(path), held.getvalue())


def fit(
    learner: MetricLearner,
    training: TrainingBatches,
    validation: PlainBatches,
    *,
    epochs: int,
    folder: Path,
    log: Log,
    watchers: Sequence[Callback] = (),
) -> Fitted:
    """Train, and keep the weights of the epoch that val likes best."""
    _quiet()
    kept = partial(ModelCheckpoint, dirpath=folder / "checkpoints", enable_version_counter=False)
    best = kept(filename="best", monitor=CHOSEN_BY, mode="max")
    last = kept(filename="last")  # not `save_last=True`: that is the last that was best
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        callbacks=[best, last, EpochDraws(training), ToRecord(log), *watchers],
        enable_progress_bar=any(isinstance(one, ProgressBar) for one in watchers),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        deterministic=True,
        default_root_dir=folder,
        plugins=[WholeCheckpoints()],
    )
    with _stoppable():
        trainer.fit(learner, training, validation)
    return _fitted(Path(best.best_model_path), float(best.best_model_score or 0.0))


def _fitted(best: Path, score: float) -> Fitted:
    state = torch.load(best, map_location="cpu", weights_only=True)
    return Fitted(best=best, sha256=files.sha256_of(best), best_score=score, best_epoch=int(state["epoch"]))


@contextmanager
def _stoppable() -> Iterator[None]:
    """Lightning turns Ctrl-C (and SIGTERM) into a silent SystemExit, and leaves the process deaf to any later Ctrl-C."""
    heard_by = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        signal.signal(signal.SIGINT, heard_by)
        raise KeyboardInterrupt from None


def _quiet() -> None:
    """Lightning's advertisements and its notes on what a machine lacks are no news to the user."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")


def load_weights(embedder: Embedder, checkpoint: Path, *, sha256: str = "") -> None:
    """Put a checkpoint's weights into an embedder of the same make. Only tensors are read, never a pickled object.

    sha256: what the file must have, where it is known; a file may be damaged and still be read.
    """
    if not checkpoint.is_file():
        raise DataError(f"{checkpoint}: there is no such checkpoint; {MEND}")
    if sha256 and files.sha256_of(checkpoint) != sha256:
        raise DataError(f"{checkpoint}: altered: its sha256 is not the one that its run wrote down; {MEND}")
    try:
        embedder.load_state_dict(_weights(checkpoint))
    except RuntimeError as wrong:
        differ = " ".join(str(wrong).split())[:300]  # a line for each weight
        raise DataError(f"{checkpoint}: not the weights of this network; {MEND}. {differ}") from None


def _weights(checkpoint: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
        return {name.removeprefix("embedder."): value for name, value in state.items()}
    except Exception as wrong:  # damaged bytes make an unpickler raise almost anything
        raise DataError(f"{checkpoint}: cannot be read, so it is no checkpoint or a damaged one; {MEND}") from wrong
