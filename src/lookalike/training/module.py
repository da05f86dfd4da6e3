"""A LightningModule that only trains.

In: an embedder, a loss, a score, learning rates. Out: weights, and scalars logged. Never: builds a part, reads a file.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.nn import functional as F

from lookalike.losses.gather import gather
from lookalike.models.embedder import Embedder
from lookalike.settings import DataError, Optimiser
from lookalike.training import rates
from lookalike.training.average import averaged

Loss = Callable[[Tensor, Tensor], Tensor]  # embeddings (B, D), labels (B,) -> scalar; may be a module with weights
Score = Callable[[np.ndarray], float]  # the vectors of every val picture, in order -> what is to be made large

CHOSEN_BY = "val/map@r"


class MetricLearner(lightning.LightningModule):
    """Trains an embedder.

    average: the decay of a running average of the weights, 0 for none.
    from_features: batches hold the backbone's features (B, width) instead of pictures, so the head alone learns.
    """

    def __init__(
        self,
        embedder: Embedder,
        loss: Loss,
        score: Score,
        optimiser: Optimiser,
        *,
        average: float = 0.0,
        from_features: bool = False,
    ) -> None:
        super().__init__()
        self.embedder, self.loss, self.score, self.optimiser = embedder, loss, score, optimiser
        self.from_features = from_features
        self.frozen = from_features or not optimiser.backbone_lr
        self.average = averaged(embedder, average) if average else None
        self.seen: list[Tensor] = []
        if self.frozen:
            embedder.backbone.requires_grad_(False)

    @property
    def kept(self) -> Embedder:
        """Whose weights are validated and kept."""
        average: Any = self.average  # torch only says that it holds a module
        kept: Embedder = self.embedder if average is None else average.module
        return kept

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """What embedded before it learnt was in evaluation mode."""
        self.train()

    def on_train_start(self) -> None:
        """Batch norm (and drop-out) as in evaluation, where the pretrained statistics are to be kept."""
        if self.optimiser.frozen_statistics or self.frozen:
            self.embedder.backbone.eval()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> dict[str, Tensor]:
        """One step's loss; one that is no number ends the training, which could only carry it into every weight."""
        given, labels = gather(self.shown(batch[0]), batch[1])
        with torch.autocast(given.device.type, enabled=False):
            loss = self.loss(given, labels)
        if not torch.isfinite(loss):
            raise DataError(self._diverged(float(loss.detach())))
        self.log("train/loss", loss, on_step=True, on_epoch=False, prog_bar=True, batch_size=len(labels))
        return {"loss": loss, "embeddings": F.normalize(given.detach(), dim=1), "labels": labels}

    def shown(self, batch: Tensor) -> Tensor:
        """What the loss is shown of a batch (B, D) float32: unit vectors, or what the head gives where it wants those raw."""
        features = self._features(self.embedder, batch)
        if getattr(self.loss, "raw", False):
            raw: Tensor = self.embedder.head(features)
            return raw.float()
        return self.embedder.embed_features(features)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """A step, and the average's after it."""
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            self.average.update_parameters(self.embedder)

    def validation_step(self, batch: Tensor, _: int) -> None:
        """Keep the vectors; they are scored together. In float32, as the network is measured, whatever it learns in."""
        with torch.autocast(batch.device.type, enabled=False):
            self.seen.append(self.kept.embed_features(self._features(self.kept, batch)))

    def on_validation_epoch_end(self) -> None:
        """Score the val pictures among themselves."""
        vectors = torch.cat(self.seen).cpu().numpy()
        self.seen.clear()
        self.log(CHOSEN_BY, self.score(vectors), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """AdamW, each part at its rate, warmed up and let down."""
        optimiser = rates.adamw(self.embedder, self.loss, self.optimiser)
        steps = int(self.trainer.estimated_stepping_batches)
        batches = int(self.trainer.num_training_batches)
        return [optimiser], rates.schedules(optimiser, self.optimiser, steps=steps, batches=batches, by=CHOSEN_BY)

    def _features(self, embedder: Embedder, batch: Tensor) -> Tensor:
        return batch if self.from_features else embedder.features(batch)

    def _diverged(self, loss: float) -> str:
        said = rates.rates_of(self.trainer.optimizers[0])
        return (
            f"the training diverged: the loss is {loss} at step {self.global_step + 1}, in epoch {self.current_epoch + 1}, "
            f"at the learning rates {' and '.join(f'{rate:.3g} ({name})' for name, rate in said.items())}. "
            "Lower optimiser.head_lr and optimiser.backbone_lr, or try another loss"
        )
