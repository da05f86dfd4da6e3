"""The command as a user meets it: each verb on small drawn data, right and wrong."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

FEW = ("adapter=toy", "adapter.styles=8", "adapter.colorways=2", "adapter.views=2", "adapter.size=64")
SMALL = ("pixels.size=32", "batch.products=4", "epochs=1", "backbone=timm", "backbone.model=test_resnet")


def process(*words, at):
    """The command as a user's shell runs it."""
    return subprocess.Popen(
        [sys.executable, "-m", "lookalike", *words], cwd=at, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def only(folder: Path) -> Path:
    (one,) = folder.iterdir()
    return one


def test_import_says_what_was_taken_in_and_what_comes_next(drawn):
    _, said = drawn
    assert "data set toy@" in said
    assert "lookalike train dataset=toy" in said


def test_import_into_the_catalog_and_freeze_makes_the_same_products(lookalike, tmp_path):
    lookalike("import", *FEW, "name=toy", "split=none", at=tmp_path)
    for _ in range(2):  # twice is once
        lookalike("import", *FEW, "name=toy", "into=catalog", at=tmp_path)
    lookalike("freeze", "name=all", "of=toy", at=tmp_path)
    lookalike("freeze", "name=boots", "category=boots", at=tmp_path)
    imported, from_catalog, boots = (
        pl.read_parquet(next((tmp_path / "data/datasets" / name).glob("*/products.parquet")))
        for name in ("toy", "all", "boots")
    )
    told = ["brand", "category", "color", "name", "price", "currency", "rating", "url"]
    assert from_catalog.select(told).equals(imported.select(told))
    assert from_catalog["product"].to_list() == [f"toy:{product}" for product in imported["product"]]
    assert set(boots["category"]) == {"Boots"}
    assert len(boots) == len(imported.filter(pl.col("category") == "Boots"))


def test_two_sources_of_one_catalog_may_both_have_a_product_1(lookalike, tmp_path):
    for name, seed in (("boots", 1), ("bags", 2)):
        lookalike("import", *FEW, f"adapter.seed={seed}", f"name={name}", "into=catalog", at=tmp_path)
    lookalike("freeze", "name=both", at=tmp_path)
    both = pl.read_parquet(next((tmp_path / "data/datasets/both").glob("*/products.parquet")))
    assert both.group_by("shop").len().sort("shop")["shop"].to_list() == ["bags", "boots"]
    assert both["style"].str.starts_with("boots:").sum() == (both["shop"] == "boots").sum()
    lookalike("freeze", "name=some", "of=boots", at=tmp_path)


def test_a_training_leaves_the_run_folder_of_the_contract_and_is_measured_again_alike(lookalike, shop):
    lookalike("train", "experiment=quickstart", *SMALL, "name=tiny", at=shop)
    folder = only(shop / "runs" / "tiny")
    assert {one.name for one in folder.iterdir()} == {
        "settings.yaml",
        "metrics.json",
        "per_query.parquet",
        "history.jsonl",
        "checkpoints",
        "report.html",
        "neighbours.png",
        "environment.json",
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    figure = metrics["test"]["recall@1"]
    assert figure["ci95"][0] <= figure["value"] <= figure["ci95"][1]
    assert pl.read_parquet(folder / "per_query.parquet")["recall@1"].mean() == pytest.approx(figure["value"])
    assert metrics["protocol"]["match"] == "product"
    lookalike("evaluate", "run=tiny", at=shop)
    again = json.loads(next((folder / "evaluations").glob("*/metrics.json")).read_text())
    assert again["test"] == metrics["test"]
    lookalike("evaluate", "run=tiny", "query_view=outside", at=shop)  # another protocol, beside the first
    assert len(list((folder / "evaluations").iterdir())) == 2
    assert "stands already" in lookalike("train", "experiment=quickstart", *SMALL, "name=tiny", "again=false", at=shop)


def test_an_untrained_embedder_is_measured_by_the_same_protocol(lookalike, shop):
    said = lookalike(
        "evaluate", "embedder=pretrained", "dataset=toy", "pixels.size=48", "split=all", "match=style", at=shop
    )
    assert "recall@1" in said
    metrics = json.loads(next((shop / "runs/untrained").rglob("metrics.json")).read_text())
    assert metrics["protocol"]["left_out"] == "product"
    assert 0 < metrics["all"]["recall@1"]["value"] < 1


def test_a_plan_says_what_would_happen_and_does_nothing(lookalike, shop):
    said = lookalike("train", "dataset=toy", *SMALL, "plan=true", "name=planned", at=shop)
    assert "minutes" in said
    assert not (shop / "runs" / "planned").exists()


def test_a_sweep_makes_a_run_for_each_value(lookalike, shop):
    lookalike("train", "-m", "dataset=toy", *SMALL, "seed=0,1", "name=sweep", at=shop)
    said = [(folder / "settings.yaml").read_text() for folder in sorted((shop / "runs/sweep").iterdir())]
    assert ["seed: 0" in said[0], "seed: 1" in said[1]] == [True, True]


def test_the_composed_settings_are_shown_without_work(lookalike, shop):
    said = lookalike("train", "--cfg", "job", "dataset=toy", "loss.margin=0.25", at=shop)
    assert "margin: 0.25" in said


@pytest.mark.parametrize("verb", ["import", "freeze", "audit", "train", "evaluate", "doctor"])
def test_help_teaches_with_an_example(lookalike, verb, tmp_path):
    said = lookalike(verb, "--help", at=tmp_path)
    assert f"lookalike {verb}" in said
    assert "setting=value" in said


def test_doctor_finds_the_data_set_and_a_harmed_one(lookalike, nobody, drawn, tmp_path):
    shutil.copytree(drawn[0] / "data", tmp_path / "data")
    assert "toy@" in lookalike("doctor", at=tmp_path)
    next((tmp_path / "data/datasets/toy").glob("*/views.parquet")).write_bytes(b"")
    assert "views.parquet has 0 bytes" in lookalike("doctor", at=tmp_path, code=1)


def test_faults_of_several_kinds_are_told_together(lookalike, shop):
    wrong = ("shop", "sed=1", "epochs=-1", "loss.margn=2", "head=lienar", "augment.flip=2", "seed=0,1", "name=a/b")
    said = lookalike("train", *wrong, at=shop, code=2)
    for line in (
        "'shop': a setting is written setting=value",
        "sed: no such setting (you gave 1); did you mean 'seed'?",
        "epochs: must be 0 or more",
        "loss.margn: no such setting (you gave 2); did you mean 'margin'?",
        "head: there is no 'lienar'; there are identity, linear, projection, affine; did you mean 'linear'?",
        "augment.flip: Input should be less than or equal to 1 (you gave 2)",
        "seed: one value is wanted, for a sweep over several add -m",
        "name: becomes a folder",
        "dataset: must be given",
    ):
        assert line in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("trian",), 2, "there is no verb 'trian'. Did you mean 'train'?"),
        (("train", "dataset=nosuch"), 3, "no data set 'nosuch'"),
        (("train", "dataset=toy", "match=colour"), 3, "no such column"),
        (("train", "dataset=toy", "batch.products=4000"), 3, "give batch.products="),
        (("train",), 2, "dataset: must be given"),
        (("evaluate",), 2, "exactly one of run=RUN and embedder="),
        (("evaluate", "run=nosuch"), 3, "no such run"),
        (("evaluate", "embedder=pretrained", "dataset=toy", "query_view=nosuch"), 3, "no picture has the view"),
        (("import", "adapter=csv", "name=x"), 2, "source must be given: adapter=csv reads a file or a folder"),
        (("import", "adapter=csv", "source=nosuch.csv", "name=x"), 3, "nosuch.csv"),
        (("import", "adapter=csv", "source=.", "name=../x"), 2, "becomes a folder"),
        (("import", "adapter=csv", "source=shop/it's (1).csv", "name=x"), 3, "it's (1).csv"),
        (("import", "adapter=cvs", "source=x", "name=x"), 2, "did you mean 'csv'?"),
        (
            ("train", "dataset=toy", "loss=contrastive", "miner=pml:BatchHardMiner", *SMALL),
            2,
            "takes no miner; choose a loss",
        ),
        (("train", "dataset=toy", "loss=pml:TripletMarginLos"), 2, "did you mean 'pml:TripletMarginLoss'?"),
        (("train", "dataset=toy", "loss=contrastive,triplet"), 2, "loss: one value is wanted, for a sweep"),
        (("train", "dataset=toy", "start=whitening", *SMALL), 2, "cannot hold a closed form; add head=affine"),
        (
            ("train", "dataset=toy", "head=affine", "head.dimensions=64", "start=whitening", *SMALL),
            *(2, "start=whitening gives 96 dimensions, and head=affine has 64; add head.dimensions=96"),
        ),
        (("train", "dataset=toy", "batch.balance=nosuch"), 3, "batch.balance=nosuch: this data set has no such column"),
        (("train", "dataset=toy", "pixels.folded=true"), 2, "folded is for gray pictures; add pixels.gray=true"),
        (("evaluate", "run=x", "pixels.size=64"), 2, "a run brings the pixels it learnt from"),
        (("train", "dataset=${nosuch}"), 3, "no data set '${nosuch}'"),
        (("train", "dataset=toy", "paths.runs=/proc/x"), 4, "/proc"),
        (("audit", "dataset=toy", "paths.data=/dev/null"), 3, ""),
        (("freeze", "name=x"), 3, "the catalog is empty"),
        (("audit", "dataset=nosuch"), 3, "no data set 'nosuch'"),
    ],
)
def test_a_mistake_is_one_clear_sentence_and_an_exit_code(lookalike, shop, words, code, said):
    assert said in lookalike(*words, at=shop, code=code)


def test_one_of_several_processes_is_told_to_train_by_itself(lookalike, shop, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "the command trains in one" in lookalike("train", "dataset=toy", *SMALL, at=shop, code=2)


def test_one_picture_a_product_has_nothing_to_learn_from_and_says_so(lookalike, tmp_path):
    lookalike("import", *FEW, "adapter.styles=12", "adapter.views=1", "name=lone", at=tmp_path)
    said = lookalike("train", "dataset=lone", *SMALL, at=tmp_path, code=3)
    assert "match=style" in said


def test_the_same_commands_in_two_folders_give_the_same_bytes(lookalike, tmp_path):
    names = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        lookalike("import", *FEW, "name=toy", at=folder)
        names.append(sorted(str(one.relative_to(folder)) for one in (folder / "data").rglob("*")))
    assert names[0] == names[1]


@pytest.mark.slow
@pytest.mark.parametrize("after", ["", "epoch 2/"])
def test_ctrl_c_is_answered_in_a_sentence_at_any_time(shop, after):
    """At once, and in the middle of a training."""
    words = ("train", "dataset=toy", *SMALL, "epochs=2000", "name=stopped")
    with process(*words, at=shop) as running:
        watchdog = threading.Timer(120, running.kill)
        watchdog.start()
        said = ""
        if after:
            while after not in said and running.poll() is None:
                said += running.stdout.readline()
        else:
            time.sleep(1.5)
        running.send_signal(signal.SIGINT)
        said += running.stdout.read()
        watchdog.cancel()
    # a shell says 130 of both; an interrupt within an import ends Python by the signal itself
    assert running.returncode in {130, -signal.SIGINT}, said
    assert "stopped; what was finished is kept" in said
    assert "Traceback" not in said


def test_a_verb_without_choices_starts_without_torch(tmp_path):
    """A server's image has none."""
    words = "import sys; from lookalike.cli.main import run; run(['promote']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "No release is promoted yet" in done.stdout
