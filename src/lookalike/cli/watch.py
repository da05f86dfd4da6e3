"""What one sees while a training runs: a bar where somebody watches, and a line an epoch everywhere.

In: Lightning's hooks. Out: lines on stderr. Never: changes the training.
"""

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback, RichProgressBar

from lookalike.cli.show import err


class EpochLines(Callback):
    """One line an epoch: the last loss, and how val stands."""

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """After an epoch's validation."""
        said = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "val/"))
        }
        figures = "  ".join(f"{name} {value:.4f}" for name, value in sorted(said.items()))
        err.print(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {figures}")


def callbacks() -> list[Callback]:
    """What watches a training."""
    return [EpochLines(), *([RichProgressBar(leave=False)] if err.is_terminal else [])]
