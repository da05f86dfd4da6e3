"""Closed forms around a training: what the head begins as, what follows the trained network, and the baseline of both.

In: a training's parts and tables. Out: an embedder that has begun, or is finished, and words on what val chose.
Never: sees test, but for the baseline's figure; learns by gradient; writes a run's folder.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lookalike import build, files
from lookalike.catalog.versions import DataSet
from lookalike.cli import places
from lookalike.cli.learning import Parts, Tables
from lookalike.cli.measuring import Score, features, protocol_of, shapes, vectors
from lookalike.data.sampler import pictures_of
from lookalike.models.closed import Affine, Fit
from lookalike.models.embedder import Embedder, features_digest, head_of
from lookalike.retrieval.dial import best
from lookalike.retrieval.evaluation import evaluate
from lookalike.retrieval.fusion import joined
from lookalike.retrieval.protocol import coded, matched
from lookalike.settings import Choice, ConfigError, Train
from lookalike.tracking import record
from lookalike.training.blend import blend

State = Mapping[str, Tensor]
BASELINE = Choice(name="whitening")


class Closed(NamedTuple):
    """What follows the head, and how val stands with and without it."""

    says: str  # "" for nothing
    value: float
    without: float


def begin(settings: Train, ready: Parts, tables: Tables) -> str:
    """Let the head begin as the closed form that val likes best, where that is asked for. What it is, in words."""
    if not settings.start:
        return ""
    said, embedder = settings.start, ready.embedder
    if not isinstance(embedder.head, Affine):
        raise ConfigError(f"start={said.name}: head={settings.head.name} cannot hold a closed form; add head=affine")
    has, wanted = embedder.head.linear.out_features, build.dimensions_of(said, embedder.head.linear.in_features)
    if has != wanted:
        raise ConfigError(
            f"start={said.name} gives {wanted} dimensions, and head={settings.head.name} has {has}; "
            f"add head.dimensions={wanted}"
        )
    learnt, seen = (features(embedder, tables[split], settings.paths) for split in ("train", "val"))
    fit, value = _best(build.closed_forms(said, learnt, ready.labels), embedder.head, seen, ready.score)
    return f"{fit.says}, val map@r {value:.4f}"


def before(settings: Train, embedder: Embedder) -> State:
    """The weights that a blend mixes with: the backbone's, and the head's where a closed form made it."""
    parts = ("backbone.", "head.") if settings.start else ("backbone.",)
    return {name: value.clone() for name, value in embedder.state_dict().items() if name.startswith(parts)}


def value(settings: Train, ready: Parts, tables: Tables, state: State) -> float:
    """What val says of some weights, finished as asked."""
    _take(ready.embedder, state)
    return _close(settings, ready, tables).value


def weight_of_color(
    settings: Train, dataset: DataSet, ready: Parts, tables: Tables
) -> tuple[float, dict[float, float]]:
    """The weight beside the finished shape that val likes best, and what it says of each."""
    val = tables["val"]
    shape = shapes(ready.embedder, val, settings.paths, keep=ready.learner.frozen)
    color = vectors(build.color(), val, ready.embedder.preprocessing, settings.paths)
    return best(shape, color, val, protocol_of(settings, dataset, "val"))


def finish(settings: Train, ready: Parts, trained: State, pretrained: State, tables: Tables) -> dict[str, Any]:
    """Mix with the pretrained weights and fit the closed form that follows, as asked; val chooses. What was done, in words."""
    said: dict[str, Any] = {}
    if settings.blend:
        trained, share, scores = blend(trained, pretrained, partial(value, settings, ready, tables))
        said["blend"] = {"share of trained": share, "val map@r": scores}
    _take(ready.embedder, trained)
    closed = _close(settings, ready, tables)
    return said | {"finish": closed.says, "val map@r": closed.value, "val map@r without finish": closed.without}


def baseline(settings: Train, dataset: DataSet, ready: Parts, tables: Tables) -> dict[str, Any]:
    """What the untrained backbone gives with nothing but a closed form behind it: what learning must beat. {} where none can be.

    To be asked before the training. It is kept beside its features, so a second run on these pictures pays nothing for it.
    """
    labels = coded(matched(tables["train"], settings.match))  # not what a class transfer learns
    if not len(pictures_of(labels)):
        return {}
    place = places.features(settings.paths) / features_digest(ready.embedder)
    kept = place / f"baseline-{_asked(settings, dataset, tables)}.json"
    with suppress(OSError, ValueError):  # not there, or cut short
        told: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        return told
    made = _baseline(settings, dataset, ready, tables, labels)
    files.write_json(kept, made)
    return made


def _asked(settings: Train, dataset: DataSet, tables: Tables) -> str:
    """A digest of all that a baseline depends on besides the features of each picture."""
    protocol = protocol_of(settings, dataset, "test").told()
    said = [
        record.code(),
        dataset.label,
        settings.color_weight,
        protocol,
        {split: len(table) for split, table in tables.items()},
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _baseline(settings: Train, dataset: DataSet, ready: Parts, tables: Tables, labels: np.ndarray) -> dict[str, Any]:
    seen = {split: features(ready.embedder, table, settings.paths) for split, table in tables.items()}
    room = build.room_for(BASELINE, seen["val"].shape[1])
    fit, value = _best(build.closed_forms(BASELINE, seen["train"], labels), room, seen["val"], ready.score)
    weight, color = settings.color_weight or 0.0, partial(_colors, settings, ready, tables)
    if weight == "val":
        weight, _ = best(_mapped(fit, seen["val"]), color("val"), tables["val"], protocol_of(settings, dataset, "val"))
    shape = _mapped(fit, seen["test"])
    asked = protocol_of(replace(settings, color_weight=weight), dataset, "test")
    found = joined(shape, color("test"), weight) if weight else shape
    measured = evaluate(found, tables["test"], asked, slices=(), search=build.search(settings.search))
    return {
        "what": f"the untrained backbone, {fit.says}",
        "val": {"map@r": {"value": value}},
        "test": {"recall@1": measured.figures["recall@1"].told()},
    }


def _colors(settings: Train, ready: Parts, tables: Tables, split: str) -> np.ndarray:
    return vectors(build.color(), tables[split], ready.embedder.preprocessing, settings.paths)


def _take(embedder: Embedder, state: State) -> None:
    """The weights as they were trained, nothing behind the head."""
    embedder.finish = torch.nn.Identity()
    embedder.load_state_dict(state)


def _close(settings: Train, ready: Parts, tables: Tables) -> Closed:
    """Fit the closed form behind the head, if there is to be one."""
    embedder, keep = ready.embedder.eval(), ready.learner.frozen
    to_head = head_of(embedder)
    seen = to_head(features(embedder, tables["val"], settings.paths, keep=keep))
    open_value = ready.score(_unit(seen))
    if not settings.finish:
        return Closed("", open_value, open_value)
    learnt = to_head(features(embedder, tables["train"], settings.paths, keep=keep))
    embedder.finish, says, value = fitted(settings.finish, learnt, ready.labels, seen, ready.score)
    return Closed(says, value, open_value)


def fitted(
    said: Choice, learnt: np.ndarray, labels: np.ndarray, seen: np.ndarray, score: Score
) -> tuple[Affine, str, float]:
    """A closed form of its own, fitted on vectors of train (N, W) with labels (N,), chosen by val's (V, W); what it is, map@r."""
    room = build.room_for(said, seen.shape[1])
    fit, value = _best(build.closed_forms(said, learnt, labels), room, seen, score)
    return room.requires_grad_(requires_grad=False), fit.says, value


def _best(fits: Iterator[Fit], room: Affine, seen: np.ndarray, score: Score) -> tuple[Fit, float]:
    """Put the map that val likes best into its room. seen: val's features (V, W)."""
    scored = [(score(_mapped(fit, seen)), fit) for fit in fits]
    value, fit = max(scored, key=lambda one: one[0])
    room.take(fit)
    return fit, value


def _mapped(fit: Fit, seen: np.ndarray) -> np.ndarray:
    """Features (N, W) through a closed form -> unit vectors (N, D)."""
    return _unit((_unit(seen) - fit.mean) @ fit.matrix)


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = (rows / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit
