"""What the older systems' tests share: the command, a drawn data set, and each system's method, trained once.

The networks are the smallest there are, with random weights: what a method does with a network is tested, not how well it sees.
"""

import io
import json
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from lookalike import build
from lookalike.catalog import versions
from lookalike.cli import main, subject
from lookalike.cli.door import read
from lookalike.cli.overrides import ready
from lookalike.settings import Paths, Train
from lookalike.tracking import record

CONFIGS = Path(__file__).parents[2] / "configs"
DRAWN = ("adapter=toy", "adapter.styles=24", "adapter.colorways=2", "adapter.views=3", "adapter.size=64")
TINY = ("backbone=timm", "backbone.model=test_resnet", "pixels.size=32")


class Method:
    """A finished run of a method: its folder, read."""

    def __init__(self, shop):
        self.shop, self.paths = shop, Paths(data=str(shop / "data"), runs=str(shop / "runs"))

    def at(self, name):
        (self.folder,) = (self.shop / "runs" / name).iterdir()
        self.metrics = json.loads((self.folder / "metrics.json").read_text())
        self.settings = read(Train, record.settings_of(self.folder), build.TABLES)
        self.table = pl.read_parquet(self.folder / "per_query.parquet")
        history = self.folder / "history.jsonl"
        self.history = [json.loads(line) for line in history.read_text().splitlines()] if history.exists() else []
        return self

    def weights(self, file="best.ckpt"):
        return torch.load(self.folder / "checkpoints" / file, weights_only=True)["state_dict"]

    def pictures(self, split):
        return versions.find("toy", self.shop / "data" / "datasets").pictures(split)

    def subject(self):
        return subject.of_run(str(self.folder), self.paths)

    def shapes(self, split):
        """The vectors of a split's pictures, as the kept weights give them (N, D)."""
        return self.subject().shapes(self.pictures(split))


@pytest.fixture(scope="session")
def lookalike():
    """The command in this process: `lookalike("train", "dataset=toy", at=folder, code=0)` answers all that it says."""

    def run(*words, at, code=0):
        said = io.StringIO()
        with chdir(at), redirect_stdout(said), redirect_stderr(said), patch.object(sys, "argv", ["lookalike"]):
            found = main.run(list(words))
        assert found == code, f"exit {found}\n{said.getvalue()}"
        return said.getvalue()

    return run


@pytest.fixture(scope="session")
def shop(lookalike, tmp_path_factory):
    """A folder with the drawn data set `toy`: 48 products of 24 styles, 3 views of each."""
    at = tmp_path_factory.mktemp("parity")
    lookalike("import", *DRAWN, "name=toy", at=at)
    return at


@pytest.fixture(scope="session")
def method(lookalike, shop):
    """`method("roxanne", "epochs=2")`: the method with these words, trained once however often it is asked for."""
    made = {}

    def trained(name, *words, network=TINY):
        asked = (name, *words, *network)
        if asked not in made:
            called = f"{name}{len(made)}"
            quick = ("dataset=toy", "batch.products=4", *network, f"name={called}")
            lookalike("train", f"experiment=legacy/{name}", *quick, *words, at=shop)
            made[asked] = Method(shop).at(called)
        return made[asked]

    return trained


@pytest.fixture(scope="session")
def measured(lookalike, shop):
    """`measured("run=x", "match=brand")`: what `evaluate` wrote of the data set `toy`; measured once, as is a method."""
    told = {}

    def evaluated(*words):
        if words not in told:
            said = lookalike("evaluate", *words, "dataset=toy", at=shop)
            folder = next(line.split("folder", 1)[1].strip() for line in said.splitlines() if "folder  " in line)
            told[words] = json.loads((shop / folder / "metrics.json").read_text())
        return told[words]

    return evaluated


@pytest.fixture(scope="session")
def said_of():
    """`said_of("roxanne")`: the settings of a method as it stands, with its own network."""

    def settings(name):
        words = ready(Train, ["dataset=x", f"experiment=legacy/{name}"], CONFIGS)
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            said = OmegaConf.to_container(compose("train", overrides=words.given), resolve=True)
        return read(Train, said, build.TABLES, words.faults)

    return settings


@pytest.fixture(scope="session")
def network_of(said_of):
    """`network_of("roxanne")`: a method's own network, of the size it has but without weights: torch's device `meta`."""

    def made(name):
        said = said_of(name)
        bare = replace(said.backbone, options={**said.backbone.options, "weights": "random"})
        with torch.device("meta"):
            return build.embedder(bare, said.head, said.pixels)

    return made
