"""What the words of a comparison mean: names, folders, patterns; and what is said where they mean nothing."""

import os
from dataclasses import replace

import polars as pl
import pytest

from lookalike import files
from lookalike.settings import Choice, DataError, Train
from lookalike.tracking import record
from lookalike.tracking.entries import entries

SETTINGS = Train(
    name="gray",
    dataset="toy",
    backbone=Choice(name="efficientnet_lite0"),
    head=Choice(name="identity"),
    loss=Choice(name="contrastive"),
    augment=Choice(name="none"),
)
TABLE = pl.DataFrame({"image": ["a"]})


def finished(runs, dataset="toy@abc", **said):
    settings = replace(SETTINGS, **said)
    book = record.start(runs, settings.name, settings, dataset=dataset, seed=settings.seed)
    book.finish({"test": {}}, TABLE)
    return book.folder


def evaluated(folder):
    record.write_table(folder / "per_query.parquet", TABLE)
    files.write_json(folder / "metrics.json", {"test": {}})
    return folder


def test_a_name_means_all_its_seeds_in_their_order(tmp_path):
    third, first, second = (finished(tmp_path, seed=seed) for seed in (7, 0, 3))
    (found,) = entries(["gray"], tmp_path)
    assert (found.name, found.folders) == ("gray", (first, second, third))


def test_of_one_seed_the_newest_counts(tmp_path):
    finished(tmp_path)
    other, newest = finished(tmp_path, seed=1), finished(tmp_path)
    assert entries(["gray"], tmp_path)[0].folders == (newest, other)


def test_runs_with_other_settings_or_data_than_the_newest_are_another_method(tmp_path):
    finished(tmp_path, seed=1, epochs=3)
    finished(tmp_path, dataset="toy@old", seed=2)
    alike, newest = finished(tmp_path, seed=3), finished(tmp_path)
    assert entries(["gray"], tmp_path)[0].folders == (newest, alike)


@pytest.mark.parametrize(
    "said", [{"again": False}, {"arm": "gray"}, {"tracking": "both"}], ids=lambda said: next(iter(said))
)
def test_settings_that_say_where_or_whether_keep_seeds_together(tmp_path, said):
    folders = finished(tmp_path), finished(tmp_path, seed=1, **said)
    assert entries(["gray"], tmp_path)[0].folders == folders


def test_an_unfinished_run_is_no_seed(tmp_path):
    whole = finished(tmp_path)
    begun = record.start(tmp_path, "gray", replace(SETTINGS, seed=1), dataset="toy@abc", seed=1)
    assert entries(["gray"], tmp_path)[0].folders == (whole,)
    with pytest.raises(DataError, match=f"{begun.folder} holds no finished run"):
        entries([str(begun.folder)], tmp_path)


def test_a_folder_means_itself_and_is_named_by_its_place(tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    run, other = finished(runs), finished(runs, seed=1)
    looked = evaluated(runs / "untrained" / "random-112" / "toy-abc-test-product")
    monkeypatch.chdir(tmp_path)
    said = [f"gray/{run.name}", f"runs/gray/{other.name}", str(looked)]
    assert [(one.name, len(one.folders)) for one in entries(said, runs)] == [
        (f"gray/{run.name}", 1),
        (f"gray/{other.name}", 1),
        ("untrained/random-112/toy-abc-test-product", 1),
    ]


def test_a_folder_elsewhere_is_named_by_its_path(tmp_path):
    elsewhere = evaluated(tmp_path / "elsewhere")
    assert entries([str(elsewhere)], tmp_path / "runs")[0].name == str(elsewhere)


def test_a_pattern_means_the_names_it_matches_each_with_its_seeds(tmp_path):
    for name in ("losses-b", "losses-a", "gray"):
        finished(tmp_path, name=name), finished(tmp_path, name=name, seed=1)
    (tmp_path / "losses-none").mkdir()
    found = entries(["losses-*"], tmp_path)
    assert [(one.name, len(one.folders)) for one in found] == [("losses-a", 2), ("losses-b", 2)]


def test_a_pattern_of_a_path_means_each_folder(tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    folders = sorted(finished(runs, seed=seed) for seed in (0, 1))
    monkeypatch.chdir(tmp_path)
    for said in ("gray/*", "runs/gray/*", f"{runs}/gray/*"):
        assert [one.folders[0].resolve() for one in entries([said], runs)] == folders


def test_what_is_meant_twice_is_found_once(tmp_path):
    finished(tmp_path, name="a"), finished(tmp_path, name="b")
    assert [one.name for one in entries(["b", "*", str(tmp_path / "a")], tmp_path)] == ["b", "a"]


def test_several_evaluations_in_one_folder_are_not_seeds_of_one(tmp_path):
    for name in ("toy-test-style", "toy-test-product"):
        evaluated(tmp_path / "untrained" / "random" / name)
    with pytest.raises(DataError, match="holds 2 evaluations; name one of them: toy-test-product, toy-test-style"):
        entries(["untrained/random"], tmp_path)


@pytest.mark.parametrize("said", ["gary", "gary-*", "", ".", "[", "/nowhere/at/all", "~nobody/x"])
def test_where_nothing_is_found_it_says_what_there_is(tmp_path, monkeypatch, said):
    finished(tmp_path)
    evaluated(tmp_path / "untrained" / "random" / "toy")
    monkeypatch.chdir(tmp_path / "untrained")
    with pytest.raises(DataError, match="(no such run|no finished run).*there are: gray, untrained/random/toy"):
        entries([said], tmp_path)


def test_without_any_run_it_says_to_train(tmp_path):
    with pytest.raises(DataError, match="'gray': no such run.*; train one first"):
        entries(["gray"], tmp_path / "runs")


def test_a_damaged_seed_is_said_and_not_left_out(tmp_path):
    damaged, _ = finished(tmp_path), finished(tmp_path, seed=1)
    os.truncate(damaged / "settings.yaml", 40)
    with pytest.raises(DataError, match=r"settings\.yaml: cut short"):
        entries(["gray"], tmp_path)


def test_evaluations_of_a_methods_seeds_are_one_entry(tmp_path):
    folders = [evaluated(finished(tmp_path, seed=seed) / "evaluations" / "toy-test-style") for seed in (1, 0)]
    other = evaluated(finished(tmp_path, seed=2, epochs=3) / "evaluations" / "toy-test-style")
    found = entries(["gray/*/evaluations/*"], tmp_path)
    assert {(one.name, one.folders) for one in found} == {
        ("gray/toy-test-style", tuple(folders[::-1])),
        (str(other.relative_to(tmp_path)), (other,)),
    }


def test_another_programs_vectors_of_several_seeds_are_one_entry_by_the_name_it_gives_them(tmp_path):
    folders = []
    for seed in (0, 1):
        folder = evaluated(tmp_path / "untrained" / f"vectors-{seed}" / "toy-test-style")
        files.write_json(folder / "metrics.json", {"test": {}, "vectors": {"name": "theirs", "seed": seed}})
        folders.append(folder)
    nameless = evaluated(tmp_path / "untrained" / "vectors-x" / "toy-test-style")
    found = entries(["untrained/vectors-*/*"], tmp_path)
    assert [(one.name, one.folders) for one in found] == [
        ("theirs/toy-test-style", tuple(folders)),
        (str(nameless.relative_to(tmp_path)), (nameless,)),
    ]
