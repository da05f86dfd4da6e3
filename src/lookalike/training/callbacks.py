"""What happens beside the learning: batches are drawn, scalars handed on, signs watched.

In: Lightning's hooks. Out: lines, sentences, positions. Never: changes a weight, or writes a file of its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback

from lookalike.data.batches import TrainingBatches
from lookalike.losses.signs import MARGIN, signs, warning
from lookalike.training.module import CHOSEN_BY
from lookalike.training.rates import rates_of

Log = Callable[[Mapping[str, float], int, int], None]  # scalars, step, epoch
Say = Callable[[str], None]

SIGNS_EVERY = 50  # steps; and at each epoch's end


def stepped(trainer: lightning.Trainer, batch: int) -> bool:
    """Whether the batch just done was the last of its step, as gradients may be accumulated over several."""
    return (batch + 1) % trainer.accumulate_grad_batches == 0 or trainer.is_last_batch


class EpochDraws(Callback):
    """Tells the batches which epoch is drawn, and where in it a resumed training stands."""

    def __init__(self, batches: TrainingBatches) -> None:
        self.batches = batches
        self.epoch = self.done = 0  # done: batches of the epoch

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Before any batch; `on_train_epoch_start` is not heard of an epoch that goes on in its middle."""
        self.batches.set_epoch(self.epoch, self.done)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Before the epoch's first batch."""
        self.epoch, self.done = trainer.current_epoch, 0
        self.batches.set_epoch(self.epoch)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """One batch more."""
        self.done = batch_idx + 1

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return {"epoch": self.epoch, "done": self.done}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Stand there."""
        self.epoch, self.done = state_dict["epoch"], state_dict["done"]


class ToRecord(Callback):
    """Hands every logged scalar on: one line a step, one a validation.

    Every so often a step's line has the signs of its last batch; what is wrong with them is said, each kind of it once.
    margin: of a loss that is a hinge on triplets, so that they are counted by it, and it is said where it is dead; else None.
    """

    def __init__(self, log: Log, say: Say, *, margin: float | None) -> None:
        self.hand_on, self.say, self.margin = log, say, margin  # not `log`: Lightning puts its own function there
        self.rates: dict[str, float] = {}
        self.losses: list[float] = []  # of the batches of a step
        self.told: list[str] = []  # kinds of warning

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:  # noqa: ARG002
        """Before a step: the rates it will learn at; once it is done the schedule has moved on."""
        self.rates = {f"lr/{name}": rate for name, rate in rates_of(trainer.optimizers[0]).items()}

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """After a step: the mean loss of its batches, and the rates it learnt at."""
        self.losses.append(float(trainer.callback_metrics["train/loss"]))  # the output's is divided by the batches
        if not stepped(trainer, batch_idx):
            return
        line = {"train/loss": sum(self.losses) / len(self.losses), **self.rates}
        self.losses.clear()
        if trainer.global_step % SIGNS_EVERY == 0 or trainer.is_last_batch:
            margin = MARGIN if self.margin is None else self.margin
            line |= signs(outputs["embeddings"], outputs["labels"], margin=margin)
        self._log(trainer, line)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """After an epoch: how val stands."""
        self._log(trainer, {CHOSEN_BY: float(trainer.callback_metrics[CHOSEN_BY])})

    def state_dict(self) -> dict[str, Any]:
        """What was said, so that a resumed training does not say it again."""
        return {"told": list(self.told)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was said."""
        self.told = list(state_dict["told"])

    def _log(self, trainer: lightning.Trainer, line: Mapping[str, float]) -> None:
        """Of several processes, one speaks for all."""
        if not trainer.is_global_zero:
            return
        self.hand_on(line, trainer.global_step, trainer.current_epoch)
        wrong = warning(line, hinged=self.margin is not None) if "signs/effective_rank" in line else ""
        kind = wrong.partition(":")[0]
        if wrong and kind not in self.told:
            self.told.append(kind)
            self.say(wrong)
