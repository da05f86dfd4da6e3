"""How fast each weight learns, and when: the optimiser's groups and its schedule.

In: an embedder, a loss, the settings of the optimiser, how many steps there will be. Out: an AdamW and its schedulers.
Never: takes a step.

The backbone learns in stages, those nearer the input slower (`layer_decay`). Where a network's stages lie is read from the
names of its weights, in their order, which is that of depth: a stage begins with each new numbered part (`layer3`,
`blocks.4`, `encoder.layers.encoder_layer_7`) that holds more than norms and biases. What has no number (a stem before the
first, `conv_head`, a last norm) belongs to the stage that stands before it. So EfficientNet has a stem and 7 stages, ResNet
`conv1` and 4, a vision transformer its embedding and 12.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR, LinearLR, ReduceLROnPlateau

from lookalike.models.embedder import Embedder
from lookalike.settings import Optimiser

Named = tuple[str, nn.Parameter]
Group = dict[str, Any]  # name, params, lr, weight_decay
Shape = Literal["cosine", "constant"]

NUMBERED = re.compile(r"(?:[^.\d]+\.)*[^.]*\d[^.]*")  # a name up to and with its first part that has a digit
DROP = 0.1  # what schedule=plateau multiplies the rates by


def adamw(embedder: Embedder, loss: Any, said: Optimiser) -> AdamW:
    """AdamW over all that learns. Norms and biases (anything of one dimension) are never decayed towards zero."""
    parts = [("head", said.head_lr, list(embedder.head.named_parameters()))]
    named = stages(embedder.backbone)
    for number, stage in enumerate(named):
        parts.append(("backbone", said.backbone_lr * said.layer_decay ** (len(named) - 1 - number), stage))
    if isinstance(loss, nn.Module):
        parts.append(("loss", said.loss_lr, list(loss.named_parameters())))
    groups = [group for name, rate, weights in parts for group in _groups(name, rate, weights, said.weight_decay)]
    return AdamW(groups)


def stages(network: nn.Module) -> list[list[Named]]:
    """The weights of a network, by stage, from the input on."""
    weights = list(network.named_parameters())
    numbered = {_numbered(name) for name, weight in weights if weight.ndim > 1} - {""}
    found: list[list[Named]] = [[]]
    at = ""
    for name, weight in weights:
        if (part := _numbered(name)) in numbered and part != at:
            at = part
            found.append([])
        found[-1].append((name, weight))
    return [stage for stage in found if stage]


def _numbered(name: str) -> str:
    found = NUMBERED.match(name)
    return found[0] if found else ""


def _groups(name: str, rate: float, weights: Iterable[Named], decay: float) -> Iterator[Group]:
    learning = [weight for _, weight in weights if weight.requires_grad]
    matrices, vectors = [w for w in learning if w.ndim > 1], [w for w in learning if w.ndim <= 1]
    for some, decayed in ((matrices, decay), (vectors, 0.0)):
        if some:
            yield {"name": name, "params": some, "lr": rate, "weight_decay": decayed}


def schedules(optimiser: torch.optim.Optimizer, said: Optimiser, *, steps: int, batches: int, by: str) -> list[Any]:
    """What lets the rates rise and fall, as Lightning takes it. batches: of an epoch; by: what schedule=plateau watches.

    The plateau is looked for once an epoch, but told as every so many batches: so it moves before the epoch's checkpoint.
    """
    if said.schedule != "plateau":
        shape: Shape = said.schedule
        shares = LambdaLR(optimiser, lambda step: share_of_rate(step, steps, said.warmup, shape))
        return [{"scheduler": shares, "interval": "step"}]
    rise = _rise(steps, said.warmup)
    warm = LinearLR(optimiser, start_factor=1 / rise, total_iters=rise - 1)  # multiplies, so it may follow a drop
    drops = ReduceLROnPlateau(
        optimiser, mode="max", factor=DROP, patience=said.plateau - 1, threshold=0, threshold_mode="abs", eps=0
    )
    return [
        {"scheduler": warm, "interval": "step"},
        {"scheduler": drops, "interval": "step", "frequency": batches, "monitor": by},
    ]


def share_of_rate(step: int, steps: int, warmup: float, shape: Shape = "cosine") -> float:
    """What share of its full rate a step learns at: up in a line over `warmup` of the steps, then level or down half a cosine."""
    rise = _rise(steps, warmup)
    if step < rise:
        return (step + 1) / rise
    return 1.0 if shape == "constant" else 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _rise(steps: int, warmup: float) -> int:
    """Steps that warm up."""
    return max(1, round(steps * warmup))


def rates_of(optimiser: torch.optim.Optimizer) -> dict[str, float]:
    """The rate of each part now; of the backbone's stages the quickest."""
    rates: dict[str, float] = {}
    for group in optimiser.param_groups:
        rates[group["name"]] = max(rates.get(group["name"], 0.0), float(group["lr"]))
    return rates
