"""The house stands as it was designed: each import that it forbids is found, wherever it is put."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    at = tmp_path_factory.mktemp("house")
    for folder in ("src", "scrapers"):
        shutil.copytree(ROOT / folder, at / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", at / ".importlinter")
    return at


def contracts(at):
    """What import-linter says of the copy, and its exit code."""
    words = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    told = {"PYTHONPATH": f"{at / 'src'}:{at / 'scrapers'}", "PATH": ""}
    done = subprocess.run(words, cwd=at, env=told, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_house_holds_as_it_is(copied):
    code, said = contracts(copied)
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("settings.py", "import lookalike.files", "A file imports lower floors only"),
        ("settings.py", "import numpy", "Settings and files stand on the standard library"),
        ("files.py", "import lookalike.catalog.product", "A file imports lower floors only"),
        ("losses/contrastive.py", "import lookalike.retrieval.recall", "A file imports lower floors only"),
        ("losses/contrastive.py", "import lookalike.features.resize", "A file imports lower floors only"),
        ("losses/contrastive.py", "import pytorch_lightning", "The lower floors and the pure files"),
        ("catalog/splits.py", "import faiss", "The lower floors and the pure files"),
        ("retrieval/recall.py", "import faiss", "The lower floors and the pure files"),
        ("retrieval/search.py", "import lookalike.data.batches", "A file imports lower floors only"),
        ("toy/catalog.py", "import lookalike.retrieval.recall", "A file imports lower floors only"),
        ("data/batches.py", "import lookalike.models.embedder", "A file imports lower floors only"),
        ("models/embedder.py", "import lookalike.training.module", "A file imports lower floors only"),
        ("training/fit.py", "import lookalike.tracking.record", "A file imports lower floors only"),
        ("reporting/neighbours.py", "import lookalike.build", "A file imports lower floors only"),
        ("training/fit.py", "import hydra", "Hydra, OmegaConf and pydantic"),
        ("build.py", "import lookalike.cli.show", "A file imports lower floors only"),
        ("build.py", "import wandb", "Only tracking knows W&B"),
        ("serving/box.py", "import lookalike.release.opened", "A file imports lower floors only"),
        ("serving/box.py", "import torch", "A search box is opened and asked without torch"),
        ("serving/api.py", "import PIL", "Foreign bytes are decoded"),
        ("data/batches.py", "import PIL", "Foreign bytes are decoded"),
        ("toy/catalog.py", "import shops.shop", "Shops are met in the table of choices"),
        ("catalog/store.py", "import scrapy", "The lower floors and the pure files"),
        ("../../scrapers/shops/walk.py", "import lookalike.build", "The shops know the catalog and the settings"),
        ("../../scrapers/shops/pages/plain.py", "import lookalike.toy", "The shops know the catalog and the settings"),
        ("../../scrapers/shops/pages/plain.py", "import scrapy", "Pages are pure"),
        ("../../scrapers/shops/pages/plain.py", "import lookalike.catalog.fetch", "Pages are pure"),
        ("helpers.py", "", "A file imports lower floors only"),
    ],
)
def test_an_import_that_the_house_forbids_breaks_it(copied, file, line, contract):
    """The last case is a new room that no floor was given to."""
    path = copied / "src" / "lookalike" / file
    before = path.read_text() if path.exists() else None
    path.write_text((before or "") + f"\n{line}\n")
    try:
        code, said = contracts(copied)
    finally:
        path.write_text(before) if before is not None else path.unlink()
    broken = [one for one in said.splitlines() if " BROKEN" in one]
    assert code != 0
    assert any(one.startswith(contract) for one in broken), said
