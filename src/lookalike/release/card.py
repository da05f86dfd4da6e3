"""The model card: what a release is, what it was measured to do, and what it is not for, in Markdown.

In: what a release's files tell. Out: text. Never: a figure that is not in those files.
"""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = ("recall@1", "recall@5", "recall@10", "map@r")
SLICES_SHOWN = 12


def card(
    *,
    name: str,
    facts: Mapping[str, Any],
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
    parity: Mapping[str, Mapping[str, Any]],
    preprocessing: Mapping[str, Any],
) -> str:
    """The whole card."""
    parts = [
        f"# {name}",
        _what(facts, settings),
        "## What it does",
        _protocol(metrics),
        _figures(metrics),
        _slices(metrics),
        "## What ships",
        _formats(parity, str(facts["serves"])),
        "## What it takes",
        _preprocessing(preprocessing),
        "## What it is for, and what not",
        LIMITS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


LIMITS = """\
It finds products that look like the one in a photograph, among products it has vectors of. It was measured on the kind of
pictures named above; on another kind (other categories, photographs from the street) measure it again:
`lookalike evaluate run=RUN dataset=...`. It knows nothing of people, sizes, materials or authenticity, and a near match is no
claim that two products are the same."""


def _what(facts: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    backbone, head = settings.get("backbone", {}), settings.get("head", {})
    rows = {
        "run": facts["run"],
        "learnt from": facts["dataset"],
        "twins are": f"pictures of one {facts['match']}",
        "network": f"{backbone.get('name')}, then {head.get('name')}, begun from {backbone.get('weights', 'pretrained')} weights",
        "loss": (settings.get("loss") or {}).get("name"),
        "commit": facts.get("commit") or "not known",
        "served": facts["serves"],
    }
    return _table(("", ""), [(key, str(value)) for key, value in rows.items()])


def _protocol(metrics: Mapping[str, Any]) -> str:
    told = metrics["protocol"]
    return (
        f"Measured by the served model on the frozen {told['split']}: {told['twin']}; {told['self']}; "
        f"ties: {told['ties']}; color weight {told['color_weight']:g}. Intervals: {told['intervals']}."
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    found = metrics[metrics["protocol"]["split"]]
    rows = [(name, _figure(found[name])) for name in SHOWN if name in found]
    return (
        _table(("metric", "value (95 % interval)"), rows)
        + f"\n\n{found['queries']} queries among {found['gallery']} pictures."
    )


def _slices(metrics: Mapping[str, Any]) -> str:
    told = [
        (f"{column}: {value}", figures["recall@1"])
        for column, values in metrics.get("slices", {}).items()
        for value, figures in values.items()
        if len(values) > 1
    ]
    worst = sorted(told, key=lambda one: float(one[1]["value"]))[:SLICES_SHOWN]
    rows = [(name, str(figure["queries"]), _figure(figure)) for name, figure in worst]
    return _table(("weakest slices", "queries", "recall@1"), rows) if rows else ""


def _formats(parity: Mapping[str, Mapping[str, Any]], serves: str) -> str:
    rows = [
        (
            f"**{name}**, served" if name == serves else name,
            f"{told['megabytes']:.1f}",
            _or_dash(told["milliseconds_per_image"]["alone"], ".1f"),
            _or_dash(told.get("cosine", {}).get("mean"), ".5f"),
            _or_dash(told.get("overlap@10"), ".3f"),
            told.get("says", "") or _change(told["recall@1 less the run's"]),
        )
        for name, told in parity.items()
    ]
    return _table(("format", "MB", "ms an image", "mean cosine", "of the 10 nearest", "recall@1 less the run's"), rows)


def _preprocessing(told: Mapping[str, Any]) -> str:
    side = f"{told['size']} x {told['size']}"
    made = f"{told['resize']} to {side} ({told['interpolation']}){', gray by ITU-R 601' if told['gray'] else ''}"
    whole = (
        f"Upright RGB pixels, sRGB, of any size; a JPEG may be decoded at a fraction of its size, no side shorter than "
        f"{told['size']}. The ONNX models and the program do the rest themselves: {made}; safetensors and CoreML take squares "
        f"of {side}."
    )
    masked = (
        f"Squares of {side}, made so: {made}; all but the product painted white. That is the caller's to do: no model here "
        "masks. `lookalike.release.looking.square` does."
    )
    return f"{masked if told.get('mask') else whole} sha256 of the specification: `{told['sha256']}`."


def _figure(told: Mapping[str, Any]) -> str:
    low, high = told["ci95"]
    return f"{told['value']:.3f} ({low:.3f} to {high:.3f})"


def _change(told: Mapping[str, Any]) -> str:
    low, high = told["ci95"]
    return f"{told['value']:+.4f} ({low:+.4f} to {high:+.4f})"


def _or_dash(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
