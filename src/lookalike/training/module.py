"""A LightningModule that only trains.

In: an embedder, a loss, a score, learning rates. Out: weights, and scalars logged. Never: builds a part, reads a file.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor

from lookalike.models.embedder import Embedder
from lookalike.settings import DataError, Optimiser

Loss = Callable[[Tensor, Tensor], Tensor]  # embeddings (B, D), labels (B,) -> scalar
Score = Callable[[np.ndarray], float]  # the vectors of every val picture, in order -> what is to be made large

CHOSEN_BY = "val/recall@1"


class MetricLearner(lightning.LightningModule):
    """Trains an embedder."""

    def __init__(self, embedder: Embedder, loss: Loss, score: Score, optimiser: Optimiser) -> None:
        super().__init__()
        self.embedder, self.loss, self.score, self.optimiser = embedder, loss, score, optimiser
        self.seen: list[Tensor] = []
        if not optimiser.backbone_lr:
            embedder.backbone.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        """Batch norm (and drop-out) as in evaluation, where the pretrained statistics are to be kept."""
        if self.optimiser.frozen_statistics or not self.optimiser.backbone_lr:
            self.embedder.backbone.eval()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """One step's loss; one that is no number ends the training, which could only carry it into every weight."""
        pictures, labels = batch
        loss = self.loss(self.embedder(pictures), labels)
        if not torch.isfinite(loss):
            raise DataError(self._diverged(float(loss.detach())))
        self.log("train/loss", loss, on_step=True, on_epoch=False, prog_bar=True, batch_size=len(labels))
        return loss

    def _diverged(self, loss: float) -> str:
        rates = " and ".join(
            f"{group['lr']:.3g} ({group['name']})" for group in self.trainer.optimizers[0].param_groups
        )
        return (
            f"the training diverged: the loss is {loss} at step {self.global_step + 1}, in epoch {self.current_epoch + 1}, "
            f"at the learning rates {rates}. Lower optimiser.head_lr and optimiser.backbone_lr, or try another loss.margin"
        )

    def validation_step(self, pictures: Tensor, _: int) -> None:
        """Keep the vectors; they are scored together."""
        self.seen.append(self.embedder(pictures))

    def on_validation_epoch_end(self) -> None:
        """Score the val pictures among themselves."""
        vectors = torch.cat(self.seen).float().cpu().numpy()
        self.seen.clear()
        self.log(CHOSEN_BY, self.score(vectors), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """AdamW, the backbone and the head each at their rate, warmed up and let down along a cosine."""
        groups = [{"name": "head", "params": self.embedder.head.parameters(), "lr": self.optimiser.head_lr}]
        if self.optimiser.backbone_lr:
            backbone = self.embedder.backbone.parameters()
            groups.append({"name": "backbone", "params": backbone, "lr": self.optimiser.backbone_lr})
        optimiser = torch.optim.AdamW(
            [g for g in map(_listed, groups) if g["params"]], weight_decay=self.optimiser.weight_decay
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: share_of_rate(step, steps, self.optimiser.warmup)
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def share_of_rate(step: int, steps: int, warmup: float) -> float:
    """What share of its full rate a step learns at: up in a line over `warmup` of the steps, then down along half a cosine."""
    rise = max(1, round(steps * warmup))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _listed(group: dict[str, Any]) -> dict[str, Any]:
    return {**group, "params": list(group["params"])}
