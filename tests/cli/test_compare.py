"""`lookalike compare`: the leaderboard of runs that were trained here, what it writes, and what it refuses.

The network is the smallest that timm has, the pictures are drawn: a training takes a second.
"""

import json
import re
import shutil

import pytest
import yaml

from lookalike import files
from lookalike.cli.compare import learns, shared, side_by_side
from lookalike.tracking import record

SMALL = ("dataset=toy", "pixels.size=32", "batch.products=4", "backbone=timm", "backbone.model=test_resnet", "epochs=1")
GRAY = (*SMALL, "name=gray", "pixels.gray=true")
RGB = (*SMALL, "name=rgb")


@pytest.fixture(scope="module")
def runs(lookalike, shop):
    """Two seeds of gray, one of rgb, an embedder that learnt nothing, and a run by another match."""
    lookalike("train", *GRAY, at=shop)
    lookalike("train", *GRAY, "seed=1", at=shop)
    lookalike("train", *RGB, at=shop)
    lookalike("train", *SMALL, "name=styles", "match=style", "epochs=0", "finish=whitening", at=shop)
    lookalike("evaluate", "embedder=random", "dataset=toy", "pixels.size=32", at=shop)
    return shop


UNTRAINED = "untrained/random-*/toy-*"


@pytest.fixture
def compare(lookalike, runs):
    """The verb: what it wrote into its folder, and what it said."""

    def compared(*words):
        said = lookalike("compare", *words, "name=here", at=runs)
        folder = runs / "runs" / "comparisons" / "here"
        return json.loads((folder / "comparison.json").read_text()), said

    yield compared
    shutil.rmtree(runs / "runs" / "comparisons" / "here", ignore_errors=True)


def by_name(told):
    return {one["name"]: one for one in told["rows"]}


def test_names_stand_for_all_their_seeds_and_folders_for_themselves(compare, runs):
    told, said = compare("gray", "rgb", UNTRAINED)
    rows = by_name(told)
    untrained = next(name for name in rows if name.startswith("untrained/random-"))
    assert (rows["gray"]["seeds"], rows["rgb"]["seeds"], len(rows)) == ([0, 1], [0], 3)
    assert [rows[name]["learns"] for name in ("gray", "rgb", untrained)] == [True, True, True]
    assert rows[untrained]["label"] == "untrained random at 32 pixels"
    assert len(told["pairs"]) == 6
    assert all((runs / folder / "metrics.json").is_file() for row in told["rows"] for folder in row["runs"])
    assert re.search(r"\brgb +1\* ", said)
    assert re.search(r"\bgray +2 ", said)
    assert "2 of the entries were learnt once (*)" in said


def test_the_values_are_those_of_the_runs_own_metrics(compare, runs):
    told, _ = compare("gray", "rgb")
    for row in told["rows"]:
        own = [json.loads((runs / folder / "metrics.json").read_text())["test"]["recall@1"] for folder in row["runs"]]
        assert row["means"] == pytest.approx([one["value"] for one in own])
        assert row["value"] == pytest.approx(sum(row["means"]) / len(own))
        if len(own) == 1:
            assert row["ci95"] == pytest.approx(own[0]["ci95"])
            assert row["cost"]["training_minutes"] > 0
    assert [row["value"] for row in told["rows"]] == sorted((row["value"] for row in told["rows"]), reverse=True)


def test_two_seeds_of_one_setting_are_not_distinguishable(compare):
    told, said = compare("gray/*")
    assert [row["seeds"] for row in sorted(told["rows"], key=lambda row: row["runs"])] == [[0], [1]]
    assert told["winner"] == ""
    assert told["pairs"][0]["p"] >= 0.05
    wanted = (
        r"not distinguishable: difference \+?0\.\d{3} \([+-]?0\.\d{3} to \+?0\.\d{3}\), p = [01]\.\d+ by permutation \("
    )
    assert re.search(wanted, said)


def test_a_network_that_learnt_nothing_is_worse_and_the_best_stands_out(compare, runs):
    told, said = compare("rgb", UNTRAINED, "metric=map@r", "against=" + "rgb")
    first, last = told["rows"]
    assert (told["winner"], first["word"], last["word"]) == ("rgb", "the reference", "worse")
    assert last["p_holm"] < 0.05
    assert "rgb is better: difference +" in said
    markdown = (runs / "runs" / "comparisons" / "here" / "leaderboard.md").read_text()
    assert re.search(r"\| \*\*1\*\* \| \*\*rgb\*\* \|", markdown)
    assert markdown.count("**") == 2 * 12  # the cells of one line, no more


def test_each_is_compared_with_the_one_that_is_named(compare):
    told, _ = compare("gray", "rgb", UNTRAINED, f"against={UNTRAINED}")
    assert told["against"].startswith("untrained/random")
    assert {row["name"]: row["difference"] is None for row in told["rows"]} == {
        "gray": False,
        "rgb": False,
        told["against"]: True,
    }


def test_the_page_the_table_and_the_figures_lie_in_a_place_that_tells_what_is_compared(lookalike, runs):
    before, again, other = (
        re.search(r"runs/comparisons/\S+(?=/comparison\.html)", lookalike("compare", *words, at=runs))[0]
        for words in (("gray", "rgb"), ("rgb", "gray"), ("gray", "rgb", "metric=map@r"))
    )
    assert before == again != other
    assert {one.name for one in (runs / before).iterdir()} == {"comparison.html", "leaderboard.md", "comparison.json"}
    assert re.fullmatch(r"runs/comparisons/toy-\w+-recall_1-[0-9a-f]{8}", before)
    page = (runs / before / "comparison.html").read_text()
    assert "recall@1 by category" in page
    assert ">gray<" in page


def test_runs_by_another_match_are_refused_and_the_field_is_named(lookalike, runs):
    said = lookalike("compare", "gray", "styles", at=runs, code=3)
    assert re.search(r"match: 'product' in gray; 'style' in styles", said)
    assert "left_out" not in said  # it follows from the match
    assert not list((runs / "runs").glob("comparisons/*styles*"))


def test_runs_of_another_data_set_version_are_refused(lookalike, runs):
    (run,) = (runs / "runs" / "rgb").iterdir()
    other = runs / "runs" / "older" / run.name
    shutil.copytree(run, other)
    told = record.environment_of(other)
    files.write_json(other / "environment.json", told | {"dataset": "toy@000000000000"})
    said = lookalike("compare", "rgb", "older", at=runs, code=3)
    shutil.rmtree(other.parent)
    assert "'toy@000000000000' in older" in said


def test_an_unknown_metric_names_those_there_are(lookalike, runs):
    said = lookalike("compare", "gray", "rgb", "metric=recall@2", at=runs, code=3)
    assert re.search(r"metric=recall@2: .*there are .*recall@1, .*map@r", said)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (
            ("grey",),
            3,
            "runs: 'grey': no such run.*did you mean gray[?].*there are: gray, rgb, styles, untrained/random",
        ),
        (("gray", "rgb", "against=rbg"), 3, "against: 'rbg': no such run.*did you mean rgb[?]"),
        (("gray", "rgb", "against=styles"), 3, "against=styles: not among what is compared"),
        (("gray", "rgb", "against=*r*"), 2, r"against=\*r\*: \d entries match"),
        (("gray", "name=../out"), 2, r"name becomes a folder: .*'\.\./out'"),
        ((), 2, "runs: must be given"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_what_cannot_be_compared_is_said_with_the_mend(lookalike, runs, words, code, says):
    assert re.search(says, lookalike("compare", *words, at=runs, code=code))


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_a_table_that_cannot_be_read_is_named(lookalike, runs, damage):
    (run,) = (runs / "runs" / "rgb").iterdir()
    path, kept = run / "per_query.parquet", (run / "per_query.parquet").read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(kept[:100])
    said = lookalike("compare", "gray", "rgb", at=runs, code=3)
    path.write_bytes(kept)
    assert re.search(rf"{run.name}/per_query\.parquet.*{damage}.*restore the run's folder", said)


def test_an_evaluation_of_a_run_is_compared_with_the_seed_and_the_training_of_that_run(compare, lookalike, runs):
    lookalike("evaluate", "run=rgb", "color_weight=0.4", at=runs)
    told, _ = compare("rgb", "rgb/*/evaluations/*color_0*")
    evaluated = next(row for row in told["rows"] if "evaluations" in row["name"])
    run = by_name(told)["rgb"]
    assert evaluated["method"]["color_weight"] == 0.4
    assert (evaluated["learns"], evaluated["seeds"]) == (True, [0])
    assert evaluated["cost"]["training_minutes"] == run["cost"]["training_minutes"]


def test_a_run_that_differs_is_left_out_and_that_is_said(lookalike, compare, runs):
    lookalike("train", *GRAY, "seed=2", "optimiser.head_lr=0.5", "name=older", at=runs)
    lookalike("train", *GRAY, "threads=1", "name=older", at=runs)
    told, said = compare("older", "rgb")
    shutil.rmtree(runs / "runs" / "older")
    note = "older: 1 older run of this name left out: it differs in optimiser.head_lr"
    assert told["notes"] == [note]
    assert f"{note}." in said
    assert note in (runs / "runs" / "comparisons" / "here" / "leaderboard.md").read_text().replace("\\", "")


@pytest.mark.parametrize(
    ("said", "does"),
    [
        ({}, True),
        ({"epochs": 0}, False),
        ({"epochs": 0, "soup": "others"}, True),
        ({"epochs": 0, "head": {"name": "linear"}}, True),
        ({"epochs": 0, "head": {"name": "projection", "dimensions": 8}}, True),
        ({"epochs": 0, "head": {"name": "affine"}, "start": {"name": "whitening"}}, False),
        ({"epochs": 0, "backbone": {"name": "small", "weights": "random"}}, True),
    ],
    ids=str,
)
def test_what_a_seed_would_change(tmp_path, said, does):
    whole = {"epochs": 6, "head": {"name": "identity"}, "backbone": {"name": "timm"}, **said}
    files.write_text(tmp_path / "settings.yaml", yaml.safe_dump(whole, explicit_end=True))
    assert learns(tmp_path) is does


def test_labels_lose_what_all_of_them_begin_with():
    assert shared(["losses-triplet-hard", "losses-triplet-soft", "losses-supcon"]) == "losses-"
    assert shared(["study/arm-a", "study/arm-b", "study/arm-c"]) == "study/arm-"
    assert shared(["gray", "green", "great"]) == ""
    assert shared(["a-", "a-b", "a-c"]) == ""  # the first would be called nothing
    assert shared(["losses-a", "losses-b"]) == ""  # two are told apart at a glance


def test_what_seeds_have_each_for_itself_stands_side_by_side():
    seeds = [{"match": "product", "color_weight": 0.1}, {"match": "product", "color_weight": 0.3}]
    assert side_by_side(seeds) == {"match": "product", "color_weight": "0.1, 0.3"}
    assert side_by_side(seeds[:1]) == seeds[0]
