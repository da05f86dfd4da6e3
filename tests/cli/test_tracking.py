"""`lookalike train tracking=...`: W&B mirrors a run where it can; where it must and cannot, nothing begins."""

import json

import pytest

SMALL = (
    *("dataset=toy", "pixels.size=32", "batch.products=4", "backbone=timm", "backbone.model=test_resnet"),
    "epochs=1",
)


def only(runs):
    (folder,) = runs.iterdir()
    return folder


@pytest.mark.slow
def test_both_keep_the_run_here_and_mirror_it_into_a_file_that_can_be_sent(lookalike, shop, nobody):
    nobody.setenv("WANDB_MODE", "offline")
    said = lookalike("train", *SMALL, "tracking=both", "wandb.project=shoes", "name=mirrored", at=shop)
    folder = only(shop / "runs" / "mirrored")
    assert len(list((folder / "wandb").rglob("*.wandb"))) == 1
    assert "`wandb sync " in said
    assert "W&B, not all" not in said
    assert json.loads((folder / "metrics.json").read_text())["test"]["recall@1"]


def test_where_nobody_is_logged_in_both_trains_all_the_same_and_says_so(lookalike, shop, nobody):
    said = lookalike("train", *SMALL, "tracking=both", "epochs=0", "name=alone", at=shop)
    assert "W&B will not show this run: nobody is logged in at " in said
    assert not (only(shop / "runs" / "alone") / "wandb").exists()


def test_where_nobody_is_logged_in_wandb_refuses_before_any_work(lookalike, shop, nobody):
    said = lookalike("train", *SMALL, "tracking=wandb", "name=refused", at=shop, code=1)
    assert "lookalike train: tracking=wandb: nobody is logged in at " in said
    assert "run `wandb login`, or set WANDB_MODE=offline" in said
    assert "or train with tracking=local" in said
    assert not (shop / "runs" / "refused").exists()


def test_local_leaves_nothing_of_wandb_behind(lookalike, shop, nobody):
    nobody.setenv("WANDB_MODE", "offline")
    lookalike("train", *SMALL, "epochs=0", "name=local", at=shop)
    assert list((shop / "runs" / "local").rglob("*wandb*")) == []
    assert sorted(one.name for one in shop.iterdir()) == ["data", "runs"]
