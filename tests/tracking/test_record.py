"""The run folder: what is in it, that it is found again, and that an unfinished one is not taken for a run."""

import json
from dataclasses import replace

import polars as pl
import pytest
import yaml

from lookalike.settings import Choice, DataError, Train
from lookalike.tracking import record

SETTINGS = Train(
    name="try",
    dataset="toy",
    backbone=Choice(name="efficientnet_lite0"),
    head=Choice(name="identity"),
    loss=Choice(name="contrastive", options={"margin": 0.5}),
    augment=Choice(name="none"),
)
TABLE = pl.DataFrame({"image": ["a"], "rank": [1]})


def finished(runs, settings=SETTINGS, dataset="toy@abc"):
    book = record.start(runs, settings.name, settings, dataset=dataset, seed=settings.seed)
    book.log({"train/loss": 0.5}, 1, 0)
    book.finish({"test": {}}, TABLE)
    return book.folder


def test_a_finished_run_holds_what_the_contract_says(tmp_path):
    folder = finished(tmp_path)
    assert {one.name for one in folder.iterdir()} == {
        "settings.yaml",
        "environment.json",
        "history.jsonl",
        "metrics.json",
        "per_query.parquet",
    }
    said = yaml.safe_load((folder / "settings.yaml").read_text())
    assert said["loss"] == {"name": "contrastive", "margin": 0.5}
    assert json.loads((folder / "history.jsonl").read_text()) == {"step": 1, "epoch": 0, "train/loss": 0.5}
    assert pl.read_parquet(folder / "per_query.parquet").equals(TABLE)
    told = json.loads((folder / "environment.json").read_text())
    assert (told["dataset"], told["seed"]) == ("toy@abc", 0)
    assert {"torch", "faiss-cpu"} <= set(told["packages"])


def test_two_runs_in_one_second_have_two_folders(tmp_path):
    assert len({finished(tmp_path) for _ in range(3)}) == 3


def test_a_name_means_its_newest_finished_run(tmp_path):
    folders = [finished(tmp_path) for _ in range(2)]
    record.start(tmp_path, "try", SETTINGS, dataset="toy@abc", seed=0)
    assert record.find("try", tmp_path) == folders[-1]
    assert record.find(str(folders[0]), tmp_path) == folders[0]


def test_an_unfinished_run_says_so(tmp_path):
    book = record.start(tmp_path, "try", SETTINGS, dataset="toy@abc", seed=0)
    with pytest.raises(DataError, match="did not finish"):
        record.find(str(book.folder), tmp_path)


def test_a_run_that_is_not_there_names_those_that_are(tmp_path):
    finished(tmp_path)
    with pytest.raises(DataError, match="no such run.*there are: try"):
        record.find("tyr", tmp_path)


def test_the_very_same_run_is_known_again_and_another_is_not(tmp_path):
    folder = finished(tmp_path)
    assert record.same_run(tmp_path, replace(SETTINGS, again=False), "toy@abc") == folder
    assert record.same_run(tmp_path, replace(SETTINGS, seed=1), "toy@abc") is None
    assert record.same_run(tmp_path, SETTINGS, "toy@abd") is None
