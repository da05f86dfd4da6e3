"""Augmentation by a list of albumentations' transforms, each by its name and its own keys, as a YAML tells it.

In: pictures (B, S, S, 3) uint8, a random generator, the list. Out: pictures of the same shape. Never: reads a file, looks
for updates, or draws from any other stream than the generator.

Two traps of albumentations 2.0.8 are mended by handing all transforms the batch's generator. Left to themselves, data
loader workers draw what the others draw, and epoch 1 what epoch 0 drew. And `Compose.set_random_seed` gives each
transform a stream of its own from the same seed: two flips of p=0.5 then turn the same pictures, always.
"""

import inspect
import json
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from random import Random
from typing import Annotated, Any

import numpy as np
from annotated_types import Predicate

from lookalike.settings import DataError

BOXES = ("AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "RandomCropNearBBox", "RandomSizedBBoxSafeCrop")
MASKS = ("CropNonEmptyMaskIfExists", "ConstrainedCoarseDropout", "MaskDropout")
OTHERS = ("FDA", "HistogramMatching", "PixelDistributionAdaptation", "Mosaic", "OverlayElements")
NO_PICTURE = ("Normalize", "ToFloat", "FromFloat", "ToTensorV2", "ToTensor3D")
BASES = ("BasicTransform", "DualTransform", "ImageOnlyTransform")
REFUSED = {
    **dict.fromkeys(BOXES, "it wants boxes beside the picture"),
    **dict.fromkeys(MASKS, "it wants a mask beside the picture"),
    **dict.fromkeys(OTHERS, "it wants other pictures beside the picture"),
    **dict.fromkeys(NO_PICTURE, "it gives no uint8 picture; the network's preprocessing comes with the network"),
    **dict.fromkeys(BASES, "it does nothing itself"),
    "TextImage": "it reads a font file",
    "Lambda": "it wants functions",
}


def are_known(transforms: Sequence[Mapping[str, Any]]) -> bool:
    """True, or a ValueError that lists every wrong name, key and value of a list of transforms."""
    faults = [f"{place}. {fault}" for place, said in enumerate(transforms, 1) for fault in _faults(said)]
    if faults:
        raise ValueError("; ".join(faults))
    return True


def albumentations(
    pictures: np.ndarray,
    random: np.random.Generator,
    *,
    transforms: Annotated[list[dict[str, Any]], Predicate(are_known)],
) -> np.ndarray:
    """Put each picture through the transforms in turn: `[{name: HorizontalFlip, p: 0.5}, ...]`."""
    chain = _chain(json.dumps(transforms))
    chain.set_random_state(random, Random(int(random.integers(2**63))))  # noqa: S311 - no secret
    return np.stack([_changed(one, chain) for one in pictures])


def _changed(picture: np.ndarray, chain: Any) -> np.ndarray:
    try:
        changed: np.ndarray = chain(image=picture)["image"]
    except Exception as wrong:  # theirs are of many kinds; whichever it is, the list cannot be used with these pictures
        raise DataError(f"augment.transforms: a picture of {_told(picture)} cannot go through them: {wrong}") from wrong
    if changed.shape != picture.shape or changed.dtype != picture.dtype:
        raise DataError(
            f"augment.transforms: a picture of {_told(picture)} came out as {_told(changed)}; "
            f"leave out what changes that, or end with {{name: Resize, height: {len(picture)}, width: {len(picture)}}}"
        )
    return changed


def _told(picture: np.ndarray) -> str:
    return f"{' x '.join(map(str, picture.shape))} {picture.dtype}"


@lru_cache(maxsize=4)
def _chain(told: str) -> Any:
    """The transforms of a JSON list, made once in each process."""
    listed = json.loads(told)
    are_known(listed)
    return _library().Compose([_made(said["name"], _options(said)) for said in listed])


def _faults(said: Mapping[str, Any]) -> list[str]:
    """What is wrong with one entry of the list; nothing, if nothing."""
    if "name" not in said:
        return [f"{dict(said)}: no name"]
    name = str(said["name"])
    if name in REFUSED:
        return [f"{name}: cannot be used here: {REFUSED[name]}"]
    if name not in _known():
        return [f"{name}: albumentations has no such transform{_nearest(name, list(_known()))}"]
    keys = list(inspect.signature(_known()[name]).parameters)
    unknown = [f"{name}.{key}: no such key{_nearest(key, keys)}" for key in _options(said) if key not in keys]
    return unknown or _wrong_values(name, _options(said))


def _wrong_values(name: str, options: Mapping[str, Any]) -> list[str]:
    try:
        _made(name, options)
    except (ValueError, TypeError) as wrong:
        return [f"{name}{reason}" for reason in _reasons(wrong)]
    return []


def _reasons(wrong: Exception) -> list[str]:
    """What is wrong with each key. Of a value that may be of many kinds albumentations tells a reason for each; the first."""
    listed: list[Any] = getattr(wrong.__cause__, "errors", list)()
    by_key = {"".join(f".{part}" for part in one["loc"][:1]): one["msg"] for one in reversed(listed)}
    return [f"{key}: {told}" for key, told in by_key.items()] or [f": {wrong}"]


def _made(name: str, options: Mapping[str, Any]) -> Any:
    """A transform. strict: else some impossible values become defaults; those that inherit their checks do not take it."""
    kind = _known()[name]
    return kind(**options, strict=True) if "InitSchema" in vars(kind) else kind(**options)


def _options(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key != "name"}


def _nearest(given: str, known: Sequence[str]) -> str:
    near = get_close_matches(given, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


@lru_cache(maxsize=1)
def _known() -> dict[str, Any]:
    """The transforms that may be named."""
    library = _library()
    return {
        name: one
        for name, one in vars(library).items()
        if isinstance(one, type) and issubclass(one, library.BasicTransform)
        if not issubclass(one, library.Transform3D) and name not in REFUSED
    }


def _library() -> Any:
    """albumentations, imported where it is chosen: it takes a second, and by itself asks the network for a newer version."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    return import_module("albumentations")
