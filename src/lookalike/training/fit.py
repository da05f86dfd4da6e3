"""Runs a training: Lightning's trainer around ready-made parts, the best weights kept by val.

In: a MetricLearner, batches, a run folder. Out: checkpoints/best.ckpt and last.ckpt, and what was logged. Never: reads test.
"""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, ProgressBar

from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.models.embedder import Embedder
from lookalike.settings import DataError
from lookalike.training.module import CHOSEN_BY, MetricLearner

Log = Callable[[Mapping[str, float], int, int], None]  # scalars, step, epoch


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training left."""

    best: Path
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

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:  # noqa: ARG002
        """After a step: its loss and the rates it learnt at."""
        rates = {f"lr/{number}": group["lr"] for number, group in enumerate(trainer.optimizers[0].param_groups)}
        loss = float(trainer.callback_metrics["train/loss"])
        self.hand_on({"train/loss": loss, **rates}, trainer.global_step, trainer.current_epoch)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """After an epoch: how val stands."""
        if not trainer.sanity_checking:
            self.hand_on(
                {CHOSEN_BY: float(trainer.callback_metrics[CHOSEN_BY])}, trainer.global_step, trainer.current_epoch
            )


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
    keeper = ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename="best",
        monitor=CHOSEN_BY,
        mode="max",
        save_last=True,
        enable_version_counter=False,
    )
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        callbacks=[keeper, EpochDraws(training), ToRecord(log), *watchers],
        enable_progress_bar=any(isinstance(one, ProgressBar) for one in watchers),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        deterministic=True,
        default_root_dir=folder,
    )
    trainer.fit(learner, training, validation)
    if trainer.interrupted:
        raise KeyboardInterrupt
    best = Path(keeper.best_model_path)
    state = torch.load(best, map_location="cpu", weights_only=True)
    return Fitted(best=best, best_score=float(keeper.best_model_score or 0.0), best_epoch=int(state["epoch"]))


def _quiet() -> None:
    """Lightning's advertisements and its notes on what a machine lacks are no news to the user."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")


def load_weights(embedder: Embedder, checkpoint: Path) -> None:
    """Put a checkpoint's weights into an embedder of the same make. Only tensors are read, never a pickled object."""
    if not checkpoint.is_file():
        raise DataError(f"{checkpoint}: there is no such checkpoint; the training did not come so far")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    embedder.load_state_dict({name.removeprefix("embedder."): value for name, value in state.items()})
