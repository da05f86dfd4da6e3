"""A training that is killed: the same command goes on, and ends as if nothing had been.

Here it is killed once, at about one moment; scripts/kill_and_resume kills as often and as randomly as it is told.
"""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
import torch

TRAINING = (
    *("dataset=toy", "pixels.size=32", "batch.products=4", "backbone=timm", "backbone.model=test_resnet"),
    *("epochs=8", "average=0.9", "memory.size=40", "save_every=3", "head=projection", "loss=triplet", "name=run"),
)


def only(runs):
    (folder,) = (runs / "run").iterdir()
    return folder


def lines(runs):
    return sum(path.read_bytes().count(b"\n") for path in runs.glob("run/*/history.jsonl"))


def killed(at, *words, after):
    """Start the command in a process of its own, and kill it once its history has so many lines."""
    with subprocess.Popen(
        [sys.executable, "-m", "lookalike", "train", *words], cwd=at, stderr=subprocess.PIPE
    ) as process:
        while lines(at / "killed") < after and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        said = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, said


def weights(folder):
    return torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_as_an_undisturbed_one(lookalike, shop):
    killed(shop, *TRAINING, "paths.runs=killed", after=20)
    folder = only(shop / "killed")
    assert not (folder / "metrics.json").exists()
    said = lookalike("train", *TRAINING, "paths.runs=killed", at=shop)
    assert int(re.search(f"going on with killed/run/{folder.name} from step (\\d+);", said)[1]) > 0
    assert folder == only(shop / "killed")
    lookalike("train", *TRAINING, "paths.runs=whole", at=shop)
    whole = only(shop / "whole")
    assert (folder / "history.jsonl").read_text() == (whole / "history.jsonl").read_text()
    here, there = weights(folder), weights(whole)
    assert [name for name in here if not torch.equal(here[name], there[name])] == []
    figures, expected = (json.loads((one / "metrics.json").read_text()) for one in (folder, whole))
    assert figures["test"] == expected["test"]
    assert len(json.loads((folder / "environment.json").read_text())["resumed"]) == 1


def test_a_finished_run_is_shown_or_repeated_but_never_gone_on_with(lookalike, shop):
    words = ("train", *TRAINING, "epochs=1", "name=twice")
    lookalike(*words, at=shop)
    assert "this very run stands already" in lookalike(*words, "again=false", at=shop)
    assert "going on with" not in lookalike(*words, "again=true", at=shop)
    first, second = sorted((shop / "runs" / "twice").iterdir())
    assert all(
        torch.equal(one, other) for one, other in zip(weights(first).values(), weights(second).values(), strict=True)
    )


def test_a_run_that_was_stopped_before_its_first_step_begins_again_in_its_own_folder(lookalike, shop):
    words = ("train", *TRAINING, "epochs=1", "name=early")
    lookalike(*words, at=shop)
    (folder,) = (shop / "runs" / "early").iterdir()
    for name in ("metrics.json", "checkpoints/last.ckpt", "checkpoints/trained.ckpt"):
        (folder / name).unlink()
    history = (folder / "history.jsonl").read_text()
    assert "from step 0" in lookalike(*words, at=shop)
    assert [one.name for one in (shop / "runs" / "early").iterdir()] == [folder.name]
    assert (folder / "history.jsonl").read_text() == history


def test_another_setting_is_another_run(lookalike, shop):
    words = ("train", *TRAINING, "epochs=1", "name=other")
    lookalike(*words, at=shop)
    (folder,) = (shop / "runs" / "other").iterdir()
    (folder / "metrics.json").unlink()
    assert "going on with" not in lookalike(*words, "loss.margin=0.3", at=shop)
    assert len(list((shop / "runs" / "other").iterdir())) == 2
