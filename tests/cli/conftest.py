"""What the verbs' tests share: the command in this process, and a drawn data set that costs its seconds once."""

import io
import os
import shutil
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from unittest.mock import patch

import pytest

from lookalike.cli import main

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
