"""What a training would be, before it is one.

In: the learner, the settings, the tables, the draw. Out: facts in words. Never: reads a picture or writes a file.
"""

from collections.abc import Mapping

import polars as pl
from torch import nn

from lookalike.data.sampler import Draw
from lookalike.settings import Train
from lookalike.training import rates
from lookalike.training.arithmetic import WAYS
from lookalike.training.module import MetricLearner
from lookalike.training.probe import batch_seconds

NOTHING = "no gradient: closed forms alone"  # of epochs=0


def plan(
    learner: MetricLearner, settings: Train, tables: Mapping[str, pl.DataFrame], draw: Draw, way: str = "float32"
) -> dict[str, str]:
    """Pictures, what learns, batches, steps, memory and rough minutes. way: one of arithmetic.WAYS."""
    held = _held(learner, sum(map(len, tables.values())))
    return {
        **{
            split: f"{len(table)} pictures of {table['product'].n_unique()} products" for split, table in tables.items()
        },
        **(_learning(learner, settings, draw, way, held) if settings.epochs else {"learns": NOTHING, "memory": held}),
    }


def _learning(learner: MetricLearner, settings: Train, draw: Draw, way: str, held: str) -> dict[str, str]:
    seconds = batch_seconds(learner, draw, WAYS[way])
    epochs, accumulate = settings.epochs, settings.optimiser.accumulate
    steps = -(-len(draw) // accumulate) * epochs
    return {
        "learns": _what_learns(learner),
        "learns from": _units(draw, settings.learn or settings.match),
        "batches": f"{len(next(draw.batches(0)))} pictures, {len(draw)} an epoch",
        "steps": f"{steps} in {epochs} epochs" + (f", {accumulate} batches each" if accumulate > 1 else ""),
        "memory": f"{held}, {_weights_in_memory(learner)}",
        "time": f"about {len(draw) * epochs * seconds / 60:.1f} minutes of training steps ({seconds:.2f} s a batch in {way}, "
        "measured now); validation, features and measuring come on top",
    }


def _what_learns(learner: MetricLearner) -> str:
    embedder, parts = learner.embedder, []
    if not learner.frozen:
        stages = len(rates.stages(embedder.backbone))
        parts.append(f"the backbone ({_weights(embedder.backbone)} in {stages} stage{'s' * (stages > 1)})")
    if any(True for _ in embedder.head.parameters()):
        parts.append(f"the head ({_weights(embedder.head)})")
    if isinstance(learner.loss, nn.Module) and any(True for _ in learner.loss.parameters()):
        parts.append(f"the loss ({_weights(learner.loss)})")
    frozen = "; the backbone is frozen" if learner.frozen else ""
    return " and ".join(parts) + (frozen + ", its features computed once" if learner.from_features else frozen)


def _weights(part: nn.Module) -> str:
    return f"{sum(one.numel() for one in part.parameters()):,} weights"


def _units(draw: Draw, match: str) -> str:
    pictures = sum(map(len, draw.units))
    if draw.sampler == "plain":
        return f"{pictures} pictures whose {match} is known"
    return f"{len(draw.units)} {match}s with two pictures or more ({pictures} pictures)"


def _held(learner: MetricLearner, pictures: int) -> str:
    return f"{pictures * learner.embedder.preprocessing.size**2 * 3 / 1e6:.0f} MB of decoded pictures on disk (mapped)"


def _weights_in_memory(learner: MetricLearner) -> str:
    """Weights with their gradients and AdamW's two averages; and the average's own copy."""
    learning = sum(one.numel() for one in learner.parameters() if one.requires_grad)
    still = sum(one.numel() for one in learner.parameters()) - learning
    return f"{(learning * 16 + still * 4) / 1e6:.0f} MB of weights and optimiser"
