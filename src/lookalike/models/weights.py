"""Weights from a file into a network, with a word on whatever did not fit.

In: a path that the user gave, a network. Out: the network filled, and a report. Never: downloads, or unpickles anything
but tensors.
"""

import pickle
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lookalike.settings import DataError

ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt")
WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net", "module", "teacher")  # where others put them
COUNTER = "num_batches_tracked"  # batch norm's, of no use to a network that has learnt; older files lack it
NAMED = 3  # tensors named in a report before the rest are counted
ENOUGH = 0.5  # share of a network's tensors that a file must fill: below that it is another network's


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which tensors of a file go into a network, and which do not."""

    fits: dict[str, Tensor]
    wanted: int
    missing: list[str]
    unexpected: list[str]
    other_shape: list[str]

    def report(self) -> str:
        """What did not fit, in one line; "" where everything did."""
        if not (self.missing or self.unexpected or self.other_shape):
            return ""
        counts = {"missing": self.missing, "unexpected": self.unexpected, "of other shape": self.other_shape}
        faults = "".join(f"; {len(names)} {what} ({_some(names)})" for what, names in counts.items() if names)
        return f"{len(self.fits)} of {self.wanted} tensors loaded{faults}"


def fill(network: nn.Module, path: Path, *, spare: Collection[str] = ()) -> str:
    """Load a file's weights into a network and report what did not fit; a file of which less than half fits is refused.

    spare: names that either may have alone: of the classifier that was cut off, of a pooling that learns.
    """
    found = match(read_tensors(path), network.state_dict(), spare)
    report = found.report()
    if len(found.fits) < ENOUGH * found.wanted:
        raise DataError(f"backbone.weights={path}: not weights of this network: {report}. Give the network they are of")
    network.load_state_dict(found.fits, strict=False)
    return f"{path.name}: {report}" if report else ""


def match(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], spare: Collection[str] = ()) -> Match:
    """Set a file's tensors against a network's, whatever the file's names begin with."""
    prefix = shared_prefix(tensors, wanted)
    ours = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    there = {name: ours[name] for name in wanted if name in ours}
    return Match(
        fits={name: value for name, value in there.items() if value.shape == wanted[name].shape},
        wanted=len(wanted),
        missing=[name for name in wanted if name not in (*ours, *spare) and not name.endswith(COUNTER)],
        unexpected=[name for name in ours if name not in (*wanted, *spare)],
        other_shape=[
            f"{name} is {tuple(value.shape)}, not {tuple(wanted[name].shape)}"
            for name, value in there.items()
            if value.shape != wanted[name].shape
        ],
    )


def shared_prefix(names: Collection[str], wanted: Collection[str]) -> str:
    """What stands before the wanted names in a file: "module.", "embedder.backbone.", "teacher.encoder." or nothing.

    The prefix by which most names become wanted ones; of two as good, the shorter.
    """
    votes = Counter(prefix for name in names for prefix, rest in _splits(name) if rest in wanted)
    return max(votes, key=lambda prefix: (votes[prefix], -len(prefix)), default="")


def in_order(packed: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors under our names, one by one in their order: for one whose names are other words for the same list."""
    if len(packed) != len(ours):
        raise DataError(f"pretrained weights: {len(packed)} tensors, not {len(ours)}")
    for theirs, (name, wanted) in zip(packed.values(), ours.items(), strict=True):
        if theirs.shape != wanted.shape:
            raise DataError(f"pretrained weights: {name} has shape {tuple(theirs.shape)}, not {tuple(wanted.shape)}")
    return dict(zip(ours, packed.values(), strict=True))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, taken out of whatever a training wrapped round them."""
    if not path.is_file() or path.suffix not in ENDINGS:
        raise DataError(
            f"backbone.weights={path}: neither random nor pretrained, nor a file that ends in {', '.join(ENDINGS)}"
        )
    held = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    if not (tensors := _unwrapped(held)):
        raise DataError(f"backbone.weights={path}: holds no tensors by name; save a network's state_dict()")
    return tensors


def _unwrapped(held: Any) -> dict[str, Tensor]:
    if not isinstance(held, Mapping):
        return {}
    inside = next((held[name] for name in WRAPPERS if isinstance(held.get(name), Mapping)), None)
    if inside is not None:
        return _unwrapped(inside)
    return {str(name): value for name, value in held.items() if isinstance(value, Tensor)}


def _safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except SafetensorError as wrong:
        raise DataError(f"backbone.weights={path}: no safetensors file, or a damaged one ({wrong})") from wrong


def _pickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as wrong:
        if "Unsupported global" not in str(wrong):
            raise DataError(f"backbone.weights={path}: no file of weights, or a damaged one") from wrong
        raise DataError(
            f"backbone.weights={path}: holds more than tensors, and to read the rest is to run what it says. "
            "Where you trust it, save its state_dict() alone: torch.save(network.state_dict(), PATH)"
        ) from wrong
    except Exception as wrong:  # damaged bytes make an unpickler raise almost anything
        raise DataError(f"backbone.weights={path}: no file of weights, or a damaged one") from wrong


def _splits(name: str) -> list[tuple[str, str]]:
    """a.b.c: ("", a.b.c), ("a.", b.c), ("a.b.", c)."""
    starts = [0, *(at + 1 for at, sign in enumerate(name) if sign == ".")]
    return [(name[:at], name[at:]) for at in starts]


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(islice(names, NAMED)) + (f" and {more} more" if more > 0 else "")
