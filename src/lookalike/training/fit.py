"""Runs a training: Lightning's trainer around ready-made parts. Started again after a kill, it goes on as if nothing had been.

In: a MetricLearner, batches, a run folder. Out: checkpoints/trained.ckpt and last.ckpt, and what was logged. Never: reads test.
"""

import logging
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, ProgressBar

from lookalike import files
from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.models.checkpoint import must_be
from lookalike.training.arithmetic import WAYS, Way, lay_out
from lookalike.training.callbacks import EpochDraws, Log, Say, ToRecord
from lookalike.training.checkpoints import LAST, TRAINED, Keeper, WholeCheckpoints, resumable
from lookalike.training.module import MetricLearner

BEGIN_ANEW = f"restore it from a copy, or remove {LAST} beside it, and the same command begins this run anew"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training left."""

    trained: Path
    sha256: str  # of trained, so that a reader can tell whether it is still these weights
    best_score: float
    best_epoch: int  # from 0
    epochs: int  # learnt: fewer than asked for where it stopped early


def fit(
    learner: MetricLearner,
    training: TrainingBatches,
    validation: PlainBatches,
    *,
    epochs: int,
    folder: Path,
    log: Log,
    say: Say = lambda _: None,
    way: Way = WAYS["float32"],
    patience: int = 0,
    save_every: int = 0,
    compiled: bool = False,
    margin: float | None = None,
    watchers: Sequence[Callback] = (),
) -> Fitted:
    """Train, and keep the weights of the epoch that val likes best. Goes on from checkpoints/last.ckpt where there is one.

    Before it goes on, the history must be cut back to `checkpoints.step_of(last.ckpt)`. way: must be that of the beginning.
    patience, save_every, compiled: as Train's settings. say: is told in words what goes wrong.
    margin: of a loss that is a hinge on triplets; None of any other.
    """
    _quiet()
    checkpoints = folder / "checkpoints"
    last = resumable(checkpoints / LAST)
    keeper = Keeper(learner, checkpoints, every=save_every, patience=patience)
    callbacks = [EpochDraws(training), ToRecord(log, say, margin=margin), *watchers, keeper]
    trainer = lightning.Trainer(
        **_machines(),
        precision=way.precision,
        max_epochs=epochs,
        accumulate_grad_batches=learner.optimiser.accumulate,
        logger=False,
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=any(isinstance(one, ProgressBar) for one in watchers),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
        plugins=[WholeCheckpoints()],
    )
    with _laid_out(learner, way, compiled=compiled), _stoppable():
        trainer.fit(learner, training, validation, ckpt_path=last, weights_only=True)
    return _fitted(checkpoints / TRAINED, keeper, trainer.current_epoch)


def _fitted(trained: Path, keeper: Keeper, epochs: int) -> Fitted:
    if keeper.best is None:
        raise ValueError("nothing was learnt: there was no epoch with a batch in it")
    must_be(trained, keeper.best.sha256, BEGIN_ANEW)
    return Fitted(
        trained=trained,
        sha256=files.sha256_of(trained),
        best_score=keeper.best.score,
        best_epoch=keeper.best.epoch,
        epochs=epochs,
    )


def _machines() -> dict[str, Any]:
    """What Lightning is told of the machine: one device, a GPU where there is one; all that torchrun names, where it started us.

    A GPU has operations without a repeatable form: those are warned of, not refused.
    """
    deterministic: Any = "warn" if torch.cuda.is_available() else True
    alone = {"accelerator": "auto", "devices": 1, "deterministic": deterministic}
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world <= 1:
        return alone
    each = int(os.environ["LOCAL_WORLD_SIZE"])
    return {**alone, "devices": each, "num_nodes": world // each, "strategy": "ddp", "use_distributed_sampler": False}


@contextmanager
def _laid_out(learner: MetricLearner, way: Way, *, compiled: bool) -> Iterator[None]:
    """The network as it learns, in order of memory and compiled; afterwards as usual, so that it measures as a loaded one."""
    network = learner.embedder.backbone
    for one in (network, learner.kept.backbone):
        lay_out(one, way)
    if compiled:
        network.compile()  # in place, so that no weight gets another name
    try:
        yield
    finally:
        lay_out(network, WAYS["float32"])
        network._compiled_call_impl = None  # what compile() has set; torch has no word that undoes it


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
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")  # ours is told where to begin
