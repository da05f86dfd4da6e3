"""One network as the files that others load: ONNX in float32 and int8, safetensors, torch.export, CoreML.

In: an embedder in evaluation mode, a path; for int8 pictures that tell how large its numbers become. Out: the file.
Never: judges what came out (parity does), or leaves anything that must be unpickled.

ONNX comes in two halves, joined at the backbone's features: 8 bits are for the half that looks, and a closed form in the other
half can be fitted again on what those 8 bits see.
"""

import copy
import io
import logging
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnx.compose
import torch
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.torch import load_file, save_file
from torch.export import Dim, ExportedProgram

from lookalike.models.embedder import Embedder
from lookalike.release.session import Embed
from lookalike.release.whole import Sight, Tail, Whole
from lookalike.settings import DataError

OPSET: Final = 20
LARGEST: Final = 20_000  # pixels of a side, as the decoder has it
MOST: Final = 4096  # pictures at once
EXAMPLE: Final = (2, 97, 131, 3)  # no side is 1 or equal to another, so that none is taken for a constant
INPUT, BETWEEN, OUTPUT = "pictures", "features", "vectors"
WITHIN: Final = (
    99.99  # percent of a layer's numbers that 8 bits must hold; what few lie beyond would cost all the others
)
HELD: Final = 8  # pictures whose layers are held at a time while ranges are learnt


def program(network: Whole | Sight) -> ExportedProgram:
    """The network as torch.export has it: any number of pictures, of any size."""
    sizes = {"pictures": (Dim("count", max=MOST), Dim("height", max=LARGEST), Dim("width", max=LARGEST), Dim.STATIC)}
    with torch.no_grad():
        return torch.export.export(network, (_pictures(),), dynamic_shapes=sizes)


def write_program(made: ExportedProgram, path: Path) -> None:
    """As a .pt2 archive, the example that torch leaves in it emptied: that one is a pickle."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "program.pt2"
        torch.export.save(made, whole)
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
            for part in old.infolist():
                is_example = "/sample_inputs/" in part.filename
                new.writestr(part.filename, b"" if is_example else old.read(part))


def write_sight(embedder: Embedder, path: Path) -> None:
    """The half that looks, as ONNX: pictures of any size -> features."""
    _write_onnx(program(Sight(embedder).eval()), _pictures(), path, INPUT, BETWEEN)


def write_tail(embedder: Embedder, width: int, path: Path) -> None:
    """The half that embeds, as ONNX: features (B, width) -> unit vectors."""
    example = torch.ones((2, width))
    with torch.no_grad():
        made = torch.export.export(
            Tail(embedder).eval(), (example,), dynamic_shapes=((Dim("count", max=MOST), Dim.STATIC),)
        )
    _write_onnx(made, example, path, BETWEEN, OUTPUT)


def join(sight: Path, tail: Path, path: Path) -> None:
    """The two halves as one network."""
    halves = (
        onnx.load(str(sight)),
        onnx.compose.add_prefix(onnx.load(str(tail)), "tail/", rename_inputs=False, rename_outputs=False),
    )
    whole = onnx.compose.merge_models(*halves, io_map=[(BETWEEN, BETWEEN)])
    onnx.save(whole, str(path))


def _pictures() -> torch.Tensor:
    return torch.zeros(EXAMPLE, dtype=torch.uint8)


def _write_onnx(made: ExportedProgram, example: torch.Tensor, path: Path, taken: str, given: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations, of which its user can mend none
        written = torch.onnx.export(
            made,
            (example,),
            input_names=[taken],
            output_names=[given],
            dynamo=True,
            opset_version=OPSET,
            verbose=False,
        )
    if written is None:
        raise DataError(
            f"{path}: torch gave no ONNX program for this network; leave formats float32 and int8 out, or report it"
        )
    written.save(path, external_data=False)


class _Pictures:
    """What ONNX Runtime's quantiser reads: one picture after another, each as large as it is."""

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        self._left: Iterator[np.ndarray] = iter(pictures)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next one, or None after the last."""
        picture = next(self._left, None)
        return None if picture is None else {INPUT: picture[None]}


def round_sight(sight: Path, path: Path, pictures: Sequence[np.ndarray]) -> None:
    """The half that looks with its convolutions in 8 bits, by the range that each layer has on pictures (H, W, 3) uint8.

    Weights by channel. Resizing, luminance and pooling stay as they are: they cost little.
    """
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):  # it prints its percentiles
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(sight, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            path,
            _Pictures(pictures),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": WITHIN, "CalibMaxIntermediateOutputs": HELD},
        )


def write_weights(embedder: Embedder, path: Path) -> None:
    """Every tensor by its name, as safetensors."""
    save_file({name: one.contiguous() for name, one in embedder.state_dict().items()}, path)


def read_program(path: Path) -> Embed:
    """A .pt2 file's network: pictures (B, H, W, 3) uint8 of any size -> unit vectors (B, D)."""
    return on_arrays(torch.export.load(path).module())


def read_weights(make: Embedder, path: Path) -> Embedder:
    """A safetensors file's network, by the make of another one."""
    filled = copy.deepcopy(make)
    filled.load_state_dict(load_file(path))
    return filled.eval()


def on_arrays(network: Any) -> Embed:
    """A network on the processor as numpy in, numpy out."""

    def embed(pictures: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            vectors: np.ndarray = network(torch.from_numpy(np.array(pictures))).numpy()  # a copy: a map is read-only
        return vectors

    return embed


def quiet_coreml() -> Any:
    """The library, without what it says on being loaded of versions that it was not tried with."""
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import coremltools
    return coremltools


def write_phone(embedder: Embedder, path: Path) -> None:
    """As a CoreML package in float16: squares of the network's own size in, which a phone's own library resizes to."""
    ct = quiet_coreml()
    side = embedder.preprocessing.size
    example = (torch.zeros((1, side, side, 3)),)
    with torch.no_grad(), warnings.catch_warnings(), redirect_stderr(io.StringIO()):  # it draws bars of its own
        warnings.simplefilter("ignore")  # it was tried with an older torch, and says so
        made = torch.export.export(embedder, example).run_decompositions({})
        inputs = [ct.TensorType(name=INPUT, shape=example[0].shape)]
        outputs = [ct.TensorType(name=OUTPUT, dtype=np.float32)]
        given: Any = ct.convert(
            made,
            inputs=inputs,
            outputs=outputs,
            compute_precision=ct.precision.FLOAT16,
            minimum_deployment_target=ct.target.iOS17,
            skip_model_load=True,
        )
    given.save(str(path))
