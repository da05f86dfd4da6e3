"""Models with their filters in 8 bits and their matrices in 16: a third of the bytes, the same sums but for a rounding.

In: a model's file. Out: a smaller one. Never: rounds what flows between the layers, or says that it is near enough: that is
measured (phone.py).

A closed form (whitening) is one matrix, and stretches what is small: in 8 bits it alone took EfficientNet-Lite0's vectors to
a mean cosine of 0.989 with the whole ones, all other weights together to 0.996.
"""

import io
import warnings
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Final

import numpy as np

LARGE: Final = 4096  # numbers; smaller weights are not worth a rounding


def onnx(model: Path, path: Path) -> None:
    """Each large float weight smaller, and made float again on loading: a filter by a scale a channel, a matrix as it is."""
    import onnx as format_of

    read: Any = format_of.load(str(model))
    graph = read.graph
    for weight in [one for one in graph.initializer if _is_large(one)]:
        graph.initializer.remove(weight)
        kept, node = _halved(weight) if len(weight.dims) == 2 else _rounded(weight)
        graph.initializer.extend(kept)
        graph.node.insert(0, node)
    format_of.save(read, str(path))


def _is_large(weight: Any) -> bool:
    return weight.data_type == 1 and len(weight.dims) >= 2 and int(np.prod(weight.dims)) >= LARGE


def _halved(weight: Any) -> tuple[list[Any], Any]:
    """A matrix of 16 bits."""
    from onnx import TensorProto, helper, numpy_helper

    name, values = weight.name, numpy_helper.to_array(weight)
    kept = [numpy_helper.from_array(values.astype(np.float16), f"{name}.half")]
    return kept, helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT)


def _rounded(weight: Any) -> tuple[list[Any], Any]:
    """Filters of 8 bits, (out, in, ...)."""
    from onnx import helper, numpy_helper

    name, values = weight.name, numpy_helper.to_array(weight)
    scale = np.maximum(np.abs(values).max(tuple(range(1, values.ndim)), keepdims=True), 1e-12) / 127
    kept = [
        numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}.int8"),
        numpy_helper.from_array(scale.astype(np.float32).reshape(-1), f"{name}.scale"),
    ]
    return kept, helper.make_node("DequantizeLinear", [f"{name}.int8", f"{name}.scale"], [name], axis=0)


def coreml(model: Path, path: Path) -> None:
    """The same for a CoreML package, whose weights have 16 bits already."""
    from lookalike.release.formats import quiet_coreml

    ct = quiet_coreml()
    smaller = ct.optimize.coreml
    config = smaller.OptimizationConfig(
        op_type_configs={"conv": smaller.OpLinearQuantizerConfig(mode="linear_symmetric")}
    )
    loaded = ct.models.MLModel(str(model), skip_model_load=True)
    # it draws bars of its own; a channel of zeros is 0 / 0 to it, and stays zero
    with warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):
        rounded = smaller.linear_quantize_weights(loaded, config=config)
    rounded.save(str(path))
