"""What the verbs' tests share: the command in this process, and a drawn data set that costs its seconds once."""

import io
import os
import re
import shutil
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

from lookalike import files
from lookalike.cli import main
from lookalike.release import bundle, golden, verify
from lookalike.release import drawn as golden_pictures
from lookalike.release.opened import Release, open_release

TOLD = {"size": 32, "resize": "squash", "interpolation": "bicubic"}
WIDE = 64
TINY = ("adapter=toy", "adapter.styles=24", "adapter.colorways=2", "adapter.views=3", "adapter.size=64")


def run(*words, at, code=0):
    """Run the command in the folder `at` and answer what it says; a process of its own would cost seconds each time."""
    said = io.StringIO()
    with chdir(at), redirect_stdout(said), redirect_stderr(said), patch.object(sys, "argv", ["lookalike"]):
        found = main.run(list(words))
    assert found == code, f"exit {found}\n{said.getvalue()}"
    return said.getvalue()


@pytest.fixture(scope="session")
def lookalike():
    """The command: `lookalike("train", "dataset=toy", at=folder, code=0)` answers all that it says."""
    return run


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A folder in which the data set `toy` was imported, and what was said of it. Not to be worked in: see `shop`."""
    at = tmp_path_factory.mktemp("drawn")
    return at, run("import", *TINY, "name=toy", at=at)


@pytest.fixture(scope="module")
def shop(drawn, tmp_path_factory):
    """A folder of the module's own, with the data set `toy`: 48 products, 3 views of each."""
    at = tmp_path_factory.mktemp("shop")
    shutil.copytree(drawn[0] / "data", at / "data")
    return at


def network(turned):
    """An ONNX file: what 8 x 8 spots of a picture of any size look like, in WIDE directions. turned: all of them elsewhere."""
    rng = np.random.default_rng(0)
    weights, turn = rng.normal(size=(192, WIDE)) / 14, np.linalg.qr(rng.normal(size=(WIDE, WIDE)))[0]
    constants = {
        "middle": np.array(127.5, np.float32),
        "begin": np.array([0]),
        "end": np.array([2]),
        "spots": np.array([8, 8]),
        "weights": (weights @ turn if turned else weights).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["numbers", "middle"], ["light"]),
        helper.make_node("Transpose", ["light"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Shape", ["planes"], ["all"]),
        helper.make_node("Slice", ["all", "begin", "end"], ["some"]),
        helper.make_node("Concat", ["some", "spots"], ["sizes"], axis=0),
        helper.make_node("Resize", ["planes", "", "", "sizes"], ["spotted"], mode="linear"),
        helper.make_node("Flatten", ["spotted"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["told"]),
        helper.make_node("LpNormalization", ["told"], ["vectors"], axis=1, p=2),
    ]
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["B", "H", "W", 3])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["B", WIDE])
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "spots", [pictures], [vectors], initializer=kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.fixture(scope="session")
def network_file():
    """The bytes of that network: `network_file(turned=True)`."""
    return network


@pytest.fixture(scope="module")
def exported(shop):
    """A folder with a release that serves int8, whose vectors lie elsewhere than those of float32, and has no catalog."""
    home = shop / "releases"
    with bundle.draft(home, "small") as draft:
        (draft / "model").mkdir()
        for name, turned in (("float32", False), ("int8", True)):
            (draft / "model" / f"{name}.onnx").write_bytes(network(turned))
        files.write_json(draft / "preprocessing.json", TOLD)
        files.write_json(draft / "color.json", {"options": {}})
        files.write_text(draft / "settings.yaml", "backbone: {name: spots}\n")
        figures = {name: {"value": 1.0, "ci95": [1.0, 1.0]} for name in ("recall@1", "map@r")}
        cost = {"milliseconds_per_image": 1.0, "megabytes": 0.1}
        files.write_json(draft / "metrics.json", {"protocol": {"match": "product"}, "test": figures, "cost": cost})
        asked = {"image": ["a#0"], "product": ["a"], "style": [""], "brand": [""], "category": [""]}
        pl.DataFrame({**asked, "recall@1": [1.0], "map@r": [1.0]}).write_parquet(draft / "per_query.parquet")
        models = verify.by_bytes(Release(draft, {"serves": "int8"}), threads=1)
        golden.write(draft, golden_pictures.pictures(12), models)
        facts = {"run": "small/1", "commit": "abc", "dataset": "toy@1", "serves": "int8", "match": "product"}
        release = bundle.publish(draft, home, "small", {**facts, "indexed": None})
    return SimpleNamespace(at=shop, release=release, told=TOLD)


@pytest.fixture(scope="module")
def into(lookalike, exported):
    """Index: `into(release, "split=test")` answers what is said, and the release that was made."""

    def made(release, *words):
        said = lookalike(
            "index", release if isinstance(release, str) else release.label, "dataset=toy", *words, at=exported.at
        )
        label = re.search(r"(small/\w{12}) can be searched", said)[1]
        return said, open_release(exported.at / "releases" / label)

    return made


@pytest.fixture(scope="module")
def indexed(into, exported):
    """What was said of a catalog that went into the release, and the release that has it."""
    return into(exported.release, "split=test", "thumbnail=48")


@pytest.fixture
def nobody(monkeypatch, tmp_path_factory):
    """A user whom W&B does not know; before and afterwards it has forgotten what it read of the environment."""
    _forget()
    for name in [one for one in os.environ if one.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    yield monkeypatch
    _forget()


def _forget():
    if "wandb" in sys.modules:  # a verb that ran before may have asked it
        sys.modules["wandb"].teardown()
