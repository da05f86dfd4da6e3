"""The states of every stream of random numbers that a training may draw from, as plain data.

In: nothing; or a state. Out: a state that `torch.load(weights_only=True)` reads. Never: seeds.
"""

import random
from typing import Any

import numpy as np
import torch


def state() -> dict[str, Any]:
    """How far Python, numpy and torch (each GPU's too) have drawn."""
    numpy: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - libraries draw from the global one
    return {
        "python": random.getstate(),
        "numpy": {**numpy, "state": {**numpy["state"], "key": numpy["state"]["key"].tolist()}},
        "torch": torch.get_rng_state(),
        "gpus": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore(told: dict[str, Any]) -> None:
    """Go on drawing from there."""
    numpy = told["numpy"]
    key = np.array(numpy["state"]["key"], np.uint32)
    random.setstate(told["python"])
    np.random.set_state({**numpy, "state": {**numpy["state"], "key": key}})  # noqa: NPY002
    torch.set_rng_state(told["torch"])
    if len(told["gpus"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(told["gpus"])
