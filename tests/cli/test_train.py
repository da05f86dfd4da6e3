"""`lookalike train`: what each setting does to a run, and that every run is measured again to the very same figures.

The network is the smallest that timm has (0.1 million weights), the pictures are drawn: a training takes a second.
"""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml

SMALL = ("dataset=toy", "pixels.size=32", "batch.products=4", "backbone=timm", "backbone.model=test_resnet")


class Run:
    """A run's folder, read."""

    def __init__(self, folder, said):
        self.folder, self.said = folder, said
        self.metrics = json.loads((folder / "metrics.json").read_text())
        self.chosen = self.metrics["chosen"]
        self.settings = yaml.safe_load((folder / "settings.yaml").read_text())
        history = folder / "history.jsonl"
        self.history = [json.loads(line) for line in history.read_text().splitlines()] if history.exists() else []

    @property
    def losses(self):
        return [line["train/loss"] for line in self.history if "train/loss" in line]

    def weights(self, file="best.ckpt"):
        return torch.load(self.folder / "checkpoints" / file, weights_only=True)["state_dict"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(lookalike, shop):
    """`trained("loss=triplet")`: the run of one epoch with these settings, trained once however often it is asked for."""
    runs = {}

    def train(words=""):
        if words not in runs:
            name = f"run{len(runs)}"
            said = lookalike("train", *SMALL, "epochs=1", f"name={name}", *words.split(), at=shop)
            (folder,) = (shop / "runs" / name).iterdir()
            runs[words] = Run(folder, said)
        return runs[words]

    return train


WHITENED = "epochs=0 finish=whitening"
BEGUN = "head=affine start=lda start.dimensions=16 head.dimensions=16 loss=supcon"
MIXED = "finish=lda finish.dimensions=16 blend=true color_weight=0.3"
HEAD_ALONE = "optimiser.backbone_lr=0 augment=none head=linear"
TRIPLETS = "loss=triplet loss.mining=hard batch.sampler=triplets"
TRIPLETS += " seed=3 optimiser.schedule=plateau optimiser.accumulate=2"
CLASSES = "loss=cross_entropy match=category batch.sampler=plain"
PROXIES = "loss=pml:ProxyAnchorLoss loss.alpha=16"
MINED = "loss=pml:TripletMarginLoss miner=pml:TripletMarginMiner miner.type_of_triplets=hard"
REMEMBERED = "memory.size=40 memory.warmup=0"
BALANCED = "batch.sampler=pairs batch.balance=category augment=albumentations"
AVERAGED = "average=0.9 head=projection precision=probe"
PATIENT = f"{HEAD_ALONE} optimiser.head_lr=1e-8 optimiser.weight_decay=0 patience=1 epochs=5"
MIRRORED = "mirror=true"
HALF = "precision=bfloat16"
FOLDED = "pixels.gray=true pixels.folded=true pixels.blur=1.5 pixels.subtract=median"
OFTEN = "save_every=2 batch.workers=1"
BY_CATEGORY = "loss=cross_entropy learn=category batch.sampler=plain"
CHOSEN_COLOR = "epochs=0 finish=whitening color_weight=val"
EXPANDED = "search=expansion"
MASKED = "pixels.mask=true"
RUNS = ("", WHITENED, BEGUN, MIXED, HEAD_ALONE, TRIPLETS, CLASSES, PROXIES, MINED, REMEMBERED, BALANCED, AVERAGED)
RUNS += (PATIENT, MIRRORED, HALF, FOLDED, OFTEN, BY_CATEGORY, CHOSEN_COLOR, EXPANDED, MASKED)


@pytest.mark.parametrize("words", RUNS, ids=lambda words: words or "as it comes")
def test_a_run_is_measured_again_to_the_very_same_figures(lookalike, shop, trained, words):
    """So best.ckpt and settings.yaml hold all that the figures came from."""
    run = trained(words)
    lookalike("evaluate", f"run={run.folder.parent.name}", at=shop)
    (again,) = (run.folder / "evaluations").glob("*/metrics.json")
    told = json.loads(again.read_text())
    for name in ("test", "slices", "slices_left_out", "protocol"):
        assert told[name] == run.metrics[name]


def test_without_an_epoch_a_closed_form_is_all_that_is_learnt(trained):
    run = trained(WHITENED)
    assert run.chosen["finish"].startswith("within-class whitening, shrinkage 0.")
    assert (run.history, run.metrics.get("baseline")) == ([], None)
    assert [one.name for one in (run.folder / "checkpoints").iterdir()] == ["best.ckpt"]
    assert re.search(r"finish +within-class whitening, shrinkage 0.\d, val", run.said)


def test_a_closed_form_before_the_head_is_the_same_map_as_one_behind_it(trained):
    before, behind = trained("epochs=0 head=affine start=whitening"), trained(WHITENED)
    assert before.metrics["test"] == behind.metrics["test"]
    assert torch.equal(before.weights()["head.linear.weight"], behind.weights()["finish.linear.weight"])


def test_a_head_that_begins_as_a_closed_form_learns_on_from_there(trained):
    run = trained(BEGUN)
    assert "start: LDA, shrinkage 0." in run.said
    assert run.weights()["head.linear.weight"].shape == (16, 96)
    assert run.settings["loss"] == {"name": "pml:SupConLoss", "temperature": 0.07}


def test_a_finish_a_mixture_and_color_are_chosen_together_and_said(trained):
    run = trained(MIXED)
    assert run.chosen["finish"].startswith("LDA, shrinkage 0.")
    assert run.weights()["finish.linear.weight"].shape == (16, 96)
    by = run.chosen["by"]  # val's figure
    shares, value = run.chosen["blend"][by], run.chosen[by]
    assert list(shares) == ["0.0", "0.25", "0.5", "0.75", "1.0"]
    assert value == max(shares.values()) == shares[str(run.chosen["blend"]["share of trained"])]
    assert value == pytest.approx(run.metrics["val"][by.removeprefix("val ")]["value"])
    assert run.metrics["protocol"]["color_weight"] == 0.3


def test_a_head_alone_learns_from_features_that_are_computed_once(lookalike, shop, trained):
    run = trained(HEAD_ALONE)
    kept = {path: path.stat().st_mtime_ns for path in (shop / "data/features").rglob("*.npz")}
    again = trained(f"{HEAD_ALONE} threads=1")
    assert {path: path.stat().st_mtime_ns for path in (shop / "data/features").rglob("*.npz")} == kept
    assert again.losses == pytest.approx(run.losses)
    untouched, learnt = trained("epochs=0").weights(), run.weights()
    assert all(torch.equal(untouched[name], learnt[name]) for name in learnt if name.startswith("backbone."))
    said = lookalike("train", *SMALL, *HEAD_ALONE.split(), "plan=true", at=shop)
    assert "the head (12,288 weights); the backbone is frozen, its features computed once" in said


@pytest.mark.parametrize(("sampler", "pictures"), [("products", 8), ("pairs", 8), ("triplets", 12), ("plain", 8)])
def test_a_batch_is_what_its_sampler_makes(lookalike, shop, sampler, pictures):
    said = lookalike("train", *SMALL, f"batch.sampler={sampler}", "plan=true", at=shop)
    assert f"{pictures} pictures, " in said.partition("batches")[2]


def test_a_loss_of_the_house_and_its_options_are_written_down(trained):
    assert trained(TRIPLETS).settings["loss"] == {"name": "triplet", "mining": "hard", "margin": 0.2, "soft": False}


def test_class_transfer_learns_a_classifier_and_throws_it_away(trained):
    run = trained(CLASSES)
    assert "lr/loss" in run.history[0]
    assert run.weights().keys() == trained("").weights().keys()
    assert (run.metrics["protocol"]["match"], run.metrics["protocol"]["left_out"]) == ("category", "product")


def test_what_is_learnt_may_be_another_thing_than_what_is_measured(trained, lookalike, shop):
    run = trained(BY_CATEGORY)
    told = run.metrics["protocol"]
    assert (told["match"], told["left_out"]) == ("product", "picture")
    classes = len(set(run.metrics["slices"]["category"]))
    said = lookalike("train", *SMALL, *BY_CATEGORY.split(), "plan=true", at=shop)
    assert f"the loss ({96 * classes + classes} weights)" in said  # a row and a bias for each category
    assert "pictures whose category is known" in said


def test_the_weight_of_color_is_the_one_that_val_likes_best(trained):
    run = trained(CHOSEN_COLOR)
    weight, scores = run.chosen["color weight"], run.chosen["val map@r by color weight"]
    assert len(scores) == 21
    assert scores[str(weight)] == max(scores.values())
    assert run.metrics["protocol"]["color_weight"] == weight
    assert run.metrics["val"]["map@r"]["value"] == pytest.approx(scores[str(weight)])


def test_a_soup_is_the_mean_of_the_runs_that_val_likes_together(lookalike, shop):
    words = (*SMALL, *HEAD_ALONE.split(), "again=false")
    for seed in (0, 1):
        lookalike("train", *words, "epochs=1", f"seed={seed}", "name=eaten", at=shop)
    lookalike("train", *words, "epochs=0", "soup=eaten", "name=soup", at=shop)
    eaten = {f"eaten/{one.name}": Run(one, "") for one in (shop / "runs/eaten").iterdir()}
    soup = Run(next((shop / "runs/soup").iterdir()), "")
    told = soup.chosen["soup"]
    assert told["val map@r alone"].keys() == eaten.keys()
    for name, run in eaten.items():
        assert told["val map@r alone"][name] == pytest.approx(run.metrics["val"]["map@r"]["value"])
    inside = [eaten[name].weights()["head.weight"] for name in told["inside"]]
    torch.testing.assert_close(soup.weights()["head.weight"], torch.stack(inside).mean(0))
    assert soup.metrics["val"]["map@r"]["value"] >= max(told["val map@r alone"].values()) - 1e-9
    learnt = sum(run.metrics["cost"]["training_minutes"] for run in eaten.values())
    assert soup.metrics["cost"]["training_minutes"] > learnt  # who has a soup has paid for what is in it


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        ("head=projection", "head"),
        ("pixels.gray=true", "pixels"),
        ("mirror=true", "mirror"),
        ("backbone.pooling=max head=linear", "backbone"),
    ],
)
def test_a_soup_of_another_network_is_refused_before_any_work(lookalike, shop, trained, words, differs):
    other = trained(HEAD_ALONE).folder.parent.name
    said = ["head=linear", *words.split(), "epochs=0", f"soup={other}", "name=stew"]
    told = lookalike("train", *SMALL, *said, at=shop, code=2)
    assert f"soup={other}: runs/{other}/" in told
    assert f"differs in {differs} (" in told
    assert not (shop / "runs/stew").exists()


def test_a_soup_is_of_one_names_runs_and_never_takes_their_name(lookalike, shop, trained):
    assert "2 names match" in _soup_refused(lookalike, shop, trained("").folder, trained(HEAD_ALONE).folder)
    said = lookalike("train", *SMALL, "epochs=0", "soup=stew", "name=stew", at=shop, code=2)
    assert "soup=stew and name=stew: a soup of this name would hide its runs; add another name" in said


def _soup_refused(lookalike, shop, *folders):
    first, second = (folder.parent.name for folder in folders)
    numbers = "".join(sorted({first[-1], second[-1]}))
    return lookalike("train", *SMALL, "epochs=0", f"soup=run[{numbers}]", "name=stew", at=shop, code=2)


def test_a_soup_trains_nothing(lookalike, shop):
    said = lookalike("train", *SMALL, "soup=eaten", at=shop, code=2)
    assert "soup=eaten averages runs that stand, and epochs=6 trains another; add epochs=0" in said


def test_what_a_picture_and_a_query_cost_is_told(trained):
    cost = trained("").metrics["cost"]
    assert cost["dimensions"] == 96
    assert cost["megabytes"] == pytest.approx(sum(one.nbytes for one in trained("").weights().values()) / 1e6)
    assert 0 < cost["milliseconds_per_image"] < 1000
    assert 0 < cost["milliseconds_per_query"] < 1000


def test_a_loss_of_the_library_has_its_own_options_alone_and_its_proxies_learn(trained):
    run = trained(PROXIES)
    assert run.settings["loss"] == {"name": "pml:ProxyAnchorLoss", "alpha": 16}
    assert "lr/loss" in run.history[0]


def test_a_miner_chooses_what_the_loss_is_given(trained):
    run = trained(MINED)
    assert run.settings["miner"] == {"name": "pml:TripletMarginMiner", "type_of_triplets": "hard"}
    assert run.losses != trained("loss=pml:TripletMarginLoss").losses


def test_a_memory_changes_the_loss_as_soon_as_it_holds_a_batch(trained):
    remembered, forgetful = trained(REMEMBERED).losses, trained("").losses
    assert remembered[0] == forgetful[0]
    assert remembered[1] != forgetful[1]


def test_the_average_is_what_is_kept(trained):
    run = trained(AVERAGED)
    last = run.weights("last.ckpt")
    kept, learning = (
        {name.removeprefix(part): one for name, one in last.items() if name.startswith(part)}
        for part in ("average.module.", "embedder.")
    )
    assert same(run.weights(), kept)
    assert not same(kept, learning)


def test_a_training_that_stands_still_on_val_ends_early(trained):
    run = trained(PATIENT)
    assert (run.chosen["epoch"], run.chosen["epochs"]) == (1, 2)  # of 5: the second was no better


def test_a_mirror_image_counts_in_measuring_alone(trained):
    run, plain = trained(MIRRORED), trained("")
    assert same(run.weights(), plain.weights())
    assert run.metrics["test"] != plain.metrics["test"]


def test_in_half_precision_the_weights_are_whole(trained):
    run = trained(HALF)
    assert {one.dtype for one in run.weights().values() if one.is_floating_point()} == {torch.float32}
    assert run.losses != trained("").losses
    assert run.losses == pytest.approx(trained("").losses, rel=0.05)


def test_a_probe_is_written_down_so_that_a_resumed_run_keeps_to_it(trained):
    run = trained(AVERAGED)
    told = json.loads((run.folder / "environment.json").read_text())
    assert told["arithmetic"] in told["probed"]
    assert f"probe: {told['arithmetic']} is chosen" in run.said


def test_folded_pictures_have_one_channel_and_the_preprocessing_goes_with_the_run(lookalike, shop, trained):
    run = trained(FOLDED)
    lookalike("evaluate", f"run={run.folder.parent.name}", at=shop)
    assert run.weights()["backbone.conv1.0.weight"].shape[1] == 1
    (again,) = (run.folder / "evaluations").glob("*/metrics.json")
    told = json.loads(again.read_text())["preprocessing"]
    assert (told["gray"], told["folded"], told["blur"], told["subtract"]) == (True, True, 1.5, "median")


def test_neither_checkpoints_within_an_epoch_nor_workers_change_a_bit(trained):
    run, plain = trained(OFTEN), trained("")
    assert same(run.weights(), plain.weights())
    assert run.history == plain.history


def test_a_list_of_transforms_is_written_down_whole(trained):
    run = trained(BALANCED)
    assert [one["name"] for one in run.settings["augment"]["transforms"]][:2] == ["HorizontalFlip", "Affine"]
    assert run.settings["batch"]["balance"] == "category"
    assert run.losses != trained("").losses


def test_gradients_of_two_batches_make_one_step(trained):
    assert [line["step"] for line in trained(TRIPLETS).history if "train/loss" in line] == [1, 2, 3, 4]  # of 7 batches


@pytest.mark.parametrize(
    ("setting", "values", "names"),
    [
        ("loss", "pml:TripletMarginLoss,pml:ContrastiveLoss", ["pml:TripletMarginLoss", "pml:ContrastiveLoss"]),
        ("loss", "supcon,pml:ContrastiveLoss", ["pml:SupConLoss", "pml:ContrastiveLoss"]),
        ("finish", "null,whitening", [None, "whitening"]),
    ],
)
def test_a_sweep_goes_over_files_names_of_the_library_and_none(lookalike, shop, setting, values, names):
    name = f"sweep-{setting}-{values}".replace(",", ".").replace(":", "_")
    lookalike("train", *SMALL, "epochs=0", f"name={name}", "-m", f"{setting}={values}", at=shop)
    said = [yaml.safe_load(path.read_text())[setting] for path in runs_of(shop / "runs" / name)]
    assert [one and one["name"] for one in said] == names


def runs_of(folder: Path):
    """settings.yaml of each run, in the order in which they began."""
    return sorted(folder.glob("*/settings.yaml"), key=lambda path: path.stat().st_mtime_ns)


def test_what_is_in_a_soup_and_the_weight_of_color_are_said(lookalike, shop, trained):
    other = trained(HEAD_ALONE).folder.parent.name
    said = lookalike(
        "train", *SMALL, *HEAD_ALONE.split(), "epochs=0", f"soup={other}", "color_weight=val", "name=broth", at=shop
    )
    assert re.search(rf"soup +{other}/\S+ alone has val map@r 0\.\d+; no other helps it", said)
    weight = Run(next((shop / "runs/broth").iterdir()), "").chosen["color weight"]
    assert re.search(rf"weight of color +{weight:g}, chosen by val", said)
