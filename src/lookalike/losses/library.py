"""Every loss and miner of pytorch-metric-learning by name, with the options that it takes.

In: the name of a class. Out: a maker whose signature lists its plain options, for the door to check.
Never: lists the library's classes by hand, or imports it before a name is asked for (1.3 s).
"""

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from inspect import Parameter
from typing import Any

import torch
from torch import nn

from lookalike.losses.library_loss import LibraryLoss
from lookalike.settings import ConfigError

LIBRARY = "pytorch_metric_learning"
Options = Mapping[str, Parameter]

# What its classes call the two numbers that the head and the data decide.
FROM_HEAD = ("embedding_size", "descriptors_dim", "l")
FROM_DATA = ("num_classes",)

# Options that a docstring explains but a signature gives no number for. The margin is the paper's (arXiv:1903.03238); its
# temperature of 10 may overflow, warns the library, so this is the highest that it lets pass.
TOLD_IN_WORDS: Mapping[str, Options] = {
    "RankedListLoss": {
        "margin": Parameter("margin", Parameter.KEYWORD_ONLY, default=0.4, annotation=float),
        "Tn": Parameter("Tn", Parameter.KEYWORD_ONLY, default=5.0, annotation=float),
        "alpha": Parameter("alpha", Parameter.KEYWORD_ONLY, default=None, annotation=float | None),
    }
}


def names() -> tuple[str, ...]:
    """Every loss that plain options can make. A wrapper, which wants another loss, is none of them."""
    return tuple(_losses())


def miner_names() -> tuple[str, ...]:
    """Every miner that plain options can make."""
    return tuple(_miners())


def loss_maker(name: str) -> Callable[..., LibraryLoss]:
    """A function (dimensions, classes, miner=None, **options) -> LibraryLoss whose signature lists the options."""
    kind = _losses()[name]
    options = _options(kind)

    def make(dimensions: int, classes: int, miner: nn.Module | None = None, **said: Any) -> LibraryLoss:
        given = _needs(kind, dimensions, classes) | _defaults(options) | said
        return LibraryLoss(_made(kind, given), miner, by_class=any(one in given for one in FROM_DATA))

    return _listing(make, name, options)


def miner_maker(name: str) -> Callable[..., nn.Module]:
    """A function (**options) -> the miner whose signature lists the options."""
    kind = _miners()[name]
    options = _options(kind)

    def make(**said: Any) -> nn.Module:
        miner: nn.Module = _made(kind, _defaults(options) | said)
        return miner

    return _listing(make, name, options)


@cache
def _losses() -> dict[str, Any]:
    return _kinds("losses", "BaseMetricLossFunction")


@cache
def _miners() -> dict[str, Any]:
    return _kinds("miners", "BaseMiner")


def _kinds(room: str, base_name: str) -> dict[str, Any]:
    """The classes of one of the library's rooms that are more than their base and need no object to be made."""
    every = vars(importlib.import_module(f"{LIBRARY}.{room}"))
    base = every[base_name]
    kinds = {name: one for name, one in every.items() if isinstance(one, type) and issubclass(one, base)}
    return {name: one for name, one in kinds.items() if one is not base and _is_plain(one)}


def _is_plain(kind: Any) -> bool:
    needed = {one.name for one in inspect.signature(kind).parameters.values() if _is_required(one)}
    return needed <= {*FROM_HEAD, *FROM_DATA, *TOLD_IN_WORDS.get(kind.__name__, ())}


def _is_required(one: Parameter) -> bool:
    return one.default is Parameter.empty and one.kind is Parameter.POSITIONAL_OR_KEYWORD


def _needs(kind: Any, dimensions: int, classes: int) -> dict[str, Any]:
    """The numbers that a class cannot be made without. One it merely could use, as MarginLoss its num_classes, is left."""
    known = dict.fromkeys(FROM_HEAD, dimensions) | dict.fromkeys(FROM_DATA, classes)
    return {one.name: known[one.name] for _, one in _parameters(kind) if _is_required(one) and one.name in known}


def _options(kind: Any) -> Options:
    """The plain options of a class and of those it hands its **kwargs on to, as keyword-only parameters."""
    options = dict(TOLD_IN_WORDS.get(kind.__name__, {}))
    for own, one in _parameters(kind):
        hint = _hint(one)
        if one.name not in options and hint is not None and (own or _takes(kind, one.name, one.default)):
            options[one.name] = one.replace(kind=Parameter.KEYWORD_ONLY, annotation=hint)
    return options


def _parameters(kind: Any) -> Iterator[tuple[bool, Parameter]]:
    """What a class takes, nearest first, and whether it says so itself.

    The mixins are left out: they weigh regularizers, which are objects and cannot be given.
    """
    levels = [one for one in kind.__mro__ if one.__module__.startswith(LIBRARY) and not one.__name__.endswith("Mixin")]
    for level in levels:
        if "__init__" in vars(level):
            yield from ((level is kind, one) for one in inspect.signature(level).parameters.values())


def _hint(one: Parameter) -> Any:
    """The type of an option that is a plain value; None where it is not."""
    if _is_required(one):
        return None
    if one.annotation in (bool, int, float, str):
        return one.annotation | None if one.default is None else one.annotation
    if isinstance(one.default, bool | float):
        return type(one.default)
    if isinstance(one.default, int):
        return int | float  # the library writes 64 for a scale that may as well be 30.5
    return str | int if isinstance(one.default, str) else None  # "all", or a number of them


def _takes(kind: Any, option: str, default: Any) -> bool:
    """Whether a class lets its parent's option be said, found by saying it: some set it themselves."""
    told = _defaults(TOLD_IN_WORDS.get(kind.__name__, {}))
    with torch.random.fork_rng(devices=[]):  # asking must not change which weights are drawn next
        try:
            _made(kind, _needs(kind, 2, 2) | told | {option: default})
        except ConfigError:
            return False
    return True


def _defaults(options: Options) -> dict[str, Any]:
    return {name: one.default for name, one in options.items()}


def _made(kind: Any, given: dict[str, Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of numpy, for the library's maker
            return kind(**given)
    except (TypeError, ValueError, AssertionError, RuntimeError) as wrong:
        said = ", ".join(f"{name}={value!r}" for name, value in given.items())
        reason = " ".join(str(wrong).split()) or "it says no more"
        raise ConfigError(f"pml:{kind.__name__} cannot be made with {said}: {reason}") from wrong


def _listing(make: Callable[..., Any], name: str, options: Options) -> Callable[..., Any]:
    """A maker that shows the options of its class as its own, in place of **said."""
    shown = inspect.signature(make)
    own = [one for one in shown.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{name} of {LIBRARY.replace('_', '-')}."
    make.__annotations__ |= {one.name: one.annotation for one in options.values()}
    make.__annotations__.pop("said")
    make.__signature__ = shown.replace(parameters=[*own, *options.values()])  # type: ignore[attr-defined]
    return make
