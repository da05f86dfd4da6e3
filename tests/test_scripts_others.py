"""The scripts that let other libraries learn from the same data: what they write is what lookalike has, and can be measured."""

import csv
import json
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from lookalike.catalog import versions
from lookalike.cli import main, places
from lookalike.data.cache import decoded
from lookalike.features.grayscale import grayscale
from lookalike.settings import Paths

SCRIPTS = Path(__file__).parents[1] / "scripts"
TINY = ("adapter=toy", "adapter.styles=24", "adapter.colorways=2", "adapter.views=3", "adapter.size=32", "name=toy")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with a drawn data set: 48 products, 3 views of each."""
    at = tmp_path_factory.mktemp("shop")
    with chdir(at), patch.object(sys, "argv", ["lookalike"]):
        assert main.run(["import", *TINY]) == 0
    return at


def script(name, *words, at, code=0):
    """What a script says on the way out."""
    calm = [sys.executable, "-W", "ignore", str(SCRIPTS / name), *map(str, words)]
    done = subprocess.run(calm, cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_what_is_frozen_for_others_is_every_picture_as_lookalike_decodes_it_with_its_label_and_split(shop, tmp_path):
    script("freeze_for_others", "toy", tmp_path / "here", "--size", 32, "--match", "style", "--gray", at=shop)
    table = versions.find("toy", shop / "data" / "datasets").pictures()
    with (tmp_path / "here" / "pictures.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name, column in {"image": "image", "product": "product", "label": "style", "split": "split"}.items():
        assert [row[name] for row in rows] == table[column].to_list()
    assert all(Path(row["path"]).is_file() for row in rows)
    with chdir(shop):
        paths = Paths()
        shas = table["sha256"].to_list()
        seen = decoded(places.cache(paths), places.pictures(paths), shas, size=32, resize="squash")
        np.testing.assert_array_equal(np.load(tmp_path / "here" / "pixels.npy"), grayscale(seen))
    said = script("freeze_for_others", "toy", tmp_path / "here", at=shop, code=1)
    assert "not empty" in said


@pytest.mark.slow
def test_pytorch_metric_learning_trains_on_it_and_leaves_unit_vectors_of_val_and_test(shop, tmp_path):
    words = ("--dataset", "toy", "--size", 64, "--epochs", 1, "--dimensions", 8, "--out", tmp_path / "pml.npz")
    said = script("train_with_pml", *words, at=shop)
    assert "epoch 1: val map@r" in said
    told = json.loads((tmp_path / "pml.json").read_text())
    dataset = versions.find("toy", shop / "data" / "datasets")
    assert (told["dataset"], told["best_epoch"], told["pictures_seen"]) == (dataset.label, 1, 64)
    with np.load(tmp_path / "pml.npz", allow_pickle=False) as kept:
        wanted = [*dataset.pictures("val")["image"], *dataset.pictures("test")["image"]]
        assert kept["images"].tolist() == wanted
        np.testing.assert_allclose(np.linalg.norm(kept["vectors"], axis=1), 1, atol=1e-5)
        assert kept["vectors"].shape == (len(wanted), 8)
