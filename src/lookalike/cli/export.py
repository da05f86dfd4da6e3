"""`lookalike export RUN`: the best checkpoint as a release, each format only if it finds what the run finds.

ONNX and torch.export embed the run's whole test from the pictures' own bytes; bare weights from the squares that a training
sees; CoreML runs on macOS alone, so elsewhere it is converted and not run.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import yaml

from lookalike import build, files
from lookalike.cli import exam, shipping, show
from lookalike.cli.exam import ONNX, TIMED, Exam, Paper
from lookalike.release import bundle, drawn, golden, session
from lookalike.release.card import card
from lookalike.release.looking import square, unresized
from lookalike.release.opened import Release
from lookalike.release.parity import Parity, outside
from lookalike.settings import ConfigError, Export, Format, LookalikeError
from lookalike.tracking import record

NOT_HERE: Final = "CoreML predicts on macOS alone: converted, not run"
WORTH: Final = 1.2  # times as quick must int8 be, or float32 is served: it loses nothing


def run(settings: Export) -> int:
    """Export, examine, publish."""
    _refuse_unservable(settings)
    torch.set_num_threads(settings.threads)
    releases, folder = Path(settings.paths.releases), record.find(settings.run, Path(settings.paths.runs)).resolve()
    name = settings.name or folder.parent.name
    asked = exam.of(settings, folder)
    with bundle.draft(releases, name) as draft, tempfile.TemporaryDirectory(prefix=".halves.", dir=releases) as halves:
        (draft / "model").mkdir()
        written = shipping.write(asked, _wanted(settings, asked), draft / "model", Path(halves))
        papers = _judged(exam.papers(asked, written), settings)
        _show(asked, papers)
        release = _published(asked, passing(settings, papers), folder, draft, name)
    show.facts("released", {"release": release.label, "folder": release.folder, "card": release.folder / "card.md"})
    show.out.print(f"next: lookalike index {release.label} dataset=NAME, then lookalike promote {release.label}\n")
    return 0


def _refuse_unservable(settings: Export) -> None:
    wanted = settings.formats or list(shipping.FILES)
    if "float32" not in wanted:
        raise ConfigError(f"formats={wanted}: a release serves ONNX, and int8 is made of float32; add float32")
    if settings.serves != "quickest" and settings.serves not in wanted:
        raise ConfigError(f"serves={settings.serves}: it is not among formats={wanted}; add it there")


def _wanted(settings: Export, of: Exam) -> list[Format]:
    """A phone knows nothing of foregrounds, so what was trained on masked pictures has no place there."""
    if not of.told.get("mask"):
        return settings.formats or list(shipping.FILES)
    if "phone" in settings.formats:
        raise ConfigError("formats has phone: this run saw masked pictures (pixels.mask=true), and CoreML masks none")
    return settings.formats or [name for name in shipping.FILES if name != "phone"]


def _judged(papers: Mapping[Format, Paper], settings: Export) -> dict[Format, Paper]:
    """What of each format is outside the tolerance."""
    return {
        name: replace(one, faults=outside(one.parity, settings.tolerance, rounds=name == "int8") if one.parity else [])
        for name, one in papers.items()
    }


def passing(settings: Export, papers: Mapping[Format, Paper]) -> dict[Format, Paper]:
    """Those within the tolerance. One that was asked for by name, or float32, may not fail: then nothing is released."""
    failed = {name: f"{name}: {'; '.join(one.faults)}" for name, one in papers.items() if one.faults}
    if failed and (settings.formats or {"float32", settings.serves} & set(failed)):
        raise LookalikeError(
            f"Not released: {'; '.join(failed.values())}. Leave the format out (formats=[...]), give int8 more pictures to "
            "learn from (pictures=300), or allow more (tolerance.recall=..., tolerance.cosine=..., tolerance.overlap=...)"
        )
    for name, fault in failed.items():
        shutil.rmtree(papers[name].path) if papers[name].path.is_dir() else papers[name].path.unlink()
        show.out.print(f"left out: {fault}", style="yellow", markup=False)
    return {name: one for name, one in papers.items() if name not in failed}


# On the terminal


def _show(of: Exam, papers: Mapping[Format, Paper]) -> None:
    rows = [(name, f"{one.megabytes:.1f}", *_near(one.parity), *_quick(one)) for name, one in papers.items()]
    columns = ("format", "MB", "cosine min", "mean", "of 10 nearest", "ms alone", "ms of many")
    show.table(f"{of.subject.name}: what ships, from the same bytes", columns, rows, whole=len(columns))
    found = [
        (name, f"{one.parity.recall:.4f}", f"{one.parity.difference.value:+.4f}", _interval(one.parity))
        for name, one in papers.items()
        if one.parity
    ]
    title = f"recall@1 (the run: {of.found.figures['recall@1'].value:.4f})"
    show.table(title, ("format", "value", "less the run's", "95 % interval"), found, whole=4)
    show.out.print(
        f"  ONNX opset {_opset()}. ms: from decoded pixels to a vector, on {of.settings.threads} threads, the best of several\n"
        f"  turns side by side: alone, each picture in its own size; of many, {min(TIMED, len(of.table))} squares at once.\n"
        "  weights are timed as PyTorch runs them.\n" + (f"  phone: {NOT_HERE}.\n" if "phone" in papers else ""),
        markup=False,
    )


def _opset() -> int:
    from lookalike.release import formats

    return formats.OPSET


def _near(told: Parity | None) -> tuple[str, ...]:
    """How near a format is to its run, in words."""
    if told is None:
        return ("-",) * 3
    return f"{told.cosine_min:.5f}", f"{told.cosine_mean:.5f}", f"{told.overlap:.3f}"


def _quick(of: Paper) -> tuple[str, ...]:
    return tuple("-" if one is None else f"{one:.1f}" for one in (of.alone, of.together))


def _interval(told: Parity) -> str:
    return f"{told.difference.low:+.4f} to {told.difference.high:+.4f}"


# Into the release


def _published(of: Exam, papers: Mapping[Format, Paper], folder: Path, draft: Path, name: str) -> Release:
    """All files of the release beside its models, and the seal."""
    serves = _served(of.settings, papers)
    facts = {
        "run": f"{folder.parent.name}/{folder.name}",
        "commit": record.environment_of(folder)["commit"],
        "dataset": of.dataset.label,
        "serves": serves,
        "match": of.found.protocol.match,
        "indexed": None,
    }
    settings, told = record.settings_of(folder), _told(papers)
    metrics = _metrics(of, papers[serves], record.metrics_of(folder))
    color = {"name": "color_histogram", "options": build.color_options(), "weight": of.weight}
    files.write_json(draft / "preprocessing.json", of.told)
    files.write_json(draft / "color.json", color)
    files.write_text(draft / "settings.yaml", yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    files.write_json(draft / "metrics.json", metrics)
    record.write_table(draft / "per_query.parquet", _evaluation(papers[serves]).table)
    files.write_json(draft / "parity.json", told)
    golden.write(draft, drawn.pictures(), _models(of, papers))
    page = card(name=name, facts=facts, settings=settings, metrics=metrics, parity=told, preprocessing=of.told)
    files.write_text(draft / "card.md", page)
    return bundle.publish(draft, Path(of.settings.paths.releases), name, facts)


def _served(settings: Export, papers: Mapping[Format, Paper]) -> Format:
    if settings.serves != "quickest":
        return settings.serves
    whole, rounded = papers["float32"].alone, papers["int8"].alone if "int8" in papers else None
    return "int8" if whole and rounded and rounded * WORTH < whole else "float32"


def _evaluation(of: Paper) -> Any:
    if of.evaluation is None:
        raise LookalikeError(f"{of.path.name} was not measured, so it cannot be served; give serves=float32")
    return of.evaluation


def _metrics(of: Exam, served: Paper, of_run: Mapping[str, Any]) -> dict[str, Any]:
    """As in a run folder, of the served model."""
    cost = {
        "training_minutes": of_run.get("cost", {}).get("training_minutes"),
        "milliseconds_per_image": served.alone,
        "megabytes": served.megabytes,
        "dimensions": int(of.shapes.shape[1]),
        "threads": of.settings.threads,
    }
    told: dict[str, Any] = _evaluation(served).told()
    return {**told, "cost": cost, "dataset": of.dataset.label, "subject": f"release of {of.subject.name}"}


def _told(papers: Mapping[Format, Paper]) -> dict[str, Any]:
    """As parity.json holds it."""
    return {
        name: {
            "file": f"model/{one.path.name}",
            "megabytes": one.megabytes,
            "opset": _opset() if name in ONNX else None,
            "milliseconds_per_image": {"alone": one.alone, "of many": one.together},
            **(one.parity.told() if one.parity else {"says": NOT_HERE}),
        }
        for name, one in papers.items()
    }


def _models(of: Exam, papers: Mapping[Format, Paper]) -> dict[str, Callable[[bytes], np.ndarray]]:
    """What golden vectors are kept of: each model that a server may load, and the color."""
    color = build.color()

    def shape(path: Path) -> Callable[[bytes], np.ndarray]:
        model = session.embedder(path, threads=of.settings.threads)
        return lambda data: np.asarray(model(unresized(data, of.told)[None])[0])

    models = {str(one): shape(papers[one].path) for one in ONNX if one in papers}
    return models | {"color": lambda data: np.asarray(color(square(data, of.told)[None])[0])}
