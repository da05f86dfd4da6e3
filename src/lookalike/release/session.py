"""An ONNX file as an embedder, by ONNX Runtime.

In: a file; then pictures (B, H, W, 3) uint8 of any one size. Out: unit vectors (B, D) float32. Never: imports torch.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when it loads: it would tell its maker that it is used here

import onnxruntime as ort

from lookalike.settings import DataError

Embed = Callable[[np.ndarray], np.ndarray]


def embedder(path: Path, *, threads: int = 2) -> Embed:
    """A file's network. threads: of one call; several callers may share it."""
    session = opened(path, threads)
    name = session.get_inputs()[0].name

    def embed(pictures: np.ndarray) -> np.ndarray:
        vectors: np.ndarray = session.run(None, {name: pictures})[0]
        return vectors

    return embed


def opened(path: Path, threads: int) -> ort.InferenceSession:
    """A file's network, or a DataError."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors; what it warns of is of its own making
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # spinning threads starve the other requests
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as wrong:  # a damaged file makes it raise one of a dozen kinds of its own
        told = " ".join(str(wrong).split())[:200]
        raise DataError(f"{path}: ONNX Runtime cannot load this network; export the run again. {told}") from None
