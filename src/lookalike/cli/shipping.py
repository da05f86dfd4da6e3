"""A run's network as files: every format that is wanted, in a folder.

In: an `Exam`, a folder. Out: the files. Never: judges them.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from lookalike.cli import show
from lookalike.cli.exam import TIMED, Exam
from lookalike.cli.finishing import fitted
from lookalike.cli.learning import labels_of
from lookalike.cli.measuring import protocol_of, score_of, squares
from lookalike.models.embedder import Embedder, embed_all
from lookalike.release import session
from lookalike.release.looking import unresized
from lookalike.settings import Format

FILES: Final[dict[Format, str]] = {
    "float32": "float32.onnx",
    "int8": "int8.onnx",
    "weights": "weights.safetensors",
    "program": "program.pt2",
    "phone": "phone.mlpackage",
}


def write(exam: Exam, wanted: Sequence[Format], folder: Path, halves: Path) -> dict[Format, Path]:
    """Write what is wanted into a folder. halves: another one, for what the ONNX files are joined of."""
    from lookalike.release import formats
    from lookalike.release.whole import Whole

    sight = halves / "sight.onnx"
    writers: dict[Format, Callable[[Path], None]] = {
        "float32": partial(_float32, exam, sight),
        "int8": partial(_int8, exam, sight),
        "weights": partial(formats.write_weights, exam.embedder),
        "program": lambda path: formats.write_program(formats.program(Whole(exam.embedder).eval()), path),
        "phone": partial(formats.write_phone, exam.embedder),
    }
    written = {name: folder / file for name, file in FILES.items() if name in wanted}  # in the order of FILES
    for name, path in written.items():
        with show.progress(f"{name}: writing"):
            writers[name](path)
    return written


def _float32(exam: Exam, sight: Path, path: Path) -> None:
    from lookalike.release import formats

    formats.write_sight(exam.embedder, sight)
    formats.write_tail(exam.embedder, exam.width, sight.with_name("tail.onnx"))
    formats.join(sight, sight.with_name("tail.onnx"), path)


def _int8(exam: Exam, sight: Path, path: Path) -> None:
    """The float32 halves stand already; 8 bits look, and what the run fitted in closed form is fitted on what they see."""
    from lookalike.release import formats

    rounded, tail = sight.with_name("sight8.onnx"), sight.with_name("tail8.onnx")
    formats.round_sight(sight, rounded, _some(exam))
    formats.write_tail(_refitted(exam, rounded), exam.width, tail)
    formats.join(rounded, tail, path)


def _some(exam: Exam) -> list[np.ndarray]:
    """Pictures of train that int8 learns its ranges from."""
    table = exam.dataset.pictures("train")
    few = min(exam.settings.pictures, len(table))
    rows = np.random.default_rng(exam.settings.seed).choice(len(table), few, replace=False)
    return [unresized(data, exam.told) for data in exam.bytes_of(table[np.sort(rows)])]


def _refitted(exam: Exam, rounded: Path) -> Embedder:
    """The network with its finish fitted again on rounded features: whitening would blow up what the rounding did."""
    from lookalike.release import formats

    trained = exam.trained
    if trained.finish is None:
        return exam.embedder
    look, to_head = session.embedder(rounded, threads=exam.settings.threads), formats.on_arrays(exam.embedder.head)

    def seen(split: str) -> np.ndarray:
        found = squares(exam.dataset.pictures(split), exam.subject.wanted, exam.settings.paths)
        with show.progress(f"int8: features of {split}", len(found)) as moved:
            return to_head(embed_all(look, found, batch=TIMED, progress=moved))

    train, val = exam.dataset.pictures("train"), exam.dataset.pictures("val")
    score = score_of(val, protocol_of(trained, exam.dataset, "val"), exam.subject.wanted, exam.settings.paths)
    again = copy.deepcopy(exam.embedder)
    again.finish, _, _ = fitted(trained.finish, seen("train"), labels_of(train, trained), seen("val"), score)
    return again.eval()
