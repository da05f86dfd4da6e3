"""What the words of a comparison mean: names, folders, patterns; and what is said where they mean nothing."""

import os
from dataclasses import replace

import polars as pl
import pytest
import yaml

from lookalike import files
from lookalike.settings import Batch, Choice, DataError, Optimiser, Train
from lookalike.tracking import record
from lookalike.tracking.entries import by_chance, entries, seed_of

SETTINGS = Train(
    name="gray",
    dataset="toy",
    backbone=Choice(name="efficientnet_lite0"),
    head=Choice(name="identity"),
    loss=Choice(name="contrastive"),
    augment=Choice(name="none"),
)
TABLE = pl.DataFrame({"image": ["a"]})


def finished(runs, dataset="", **said):
    """dataset: the version where it is told with its name alone, else what is said too."""
    settings = replace(SETTINGS, **said, **({"dataset": dataset} if dataset else {}))
    book = record.start(runs, settings.name, settings, dataset=dataset or "toy@abc", seed=settings.seed)
    book.finish({"test": {}}, TABLE)
    return book.folder


def evaluated(folder, **told):
    record.write_table(folder / "per_query.parquet", TABLE)
    files.write_json(folder / "metrics.json", {"test": {}, **told})
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
    "said",
    [
        *({"again": False}, {"arm": "gray"}, {"tracking": "both"}, {"threads": 7}, {"save_every": 9}),
        *({"batch": Batch(workers=3)}, {"dataset": "toy@abc"}, {"learn": "product"}, {"color_weight": 0.0}),
    ],
    ids=lambda said: next(iter(said)),
)
def test_settings_that_do_not_make_the_method_keep_seeds_together(tmp_path, said):
    folders = finished(tmp_path), finished(tmp_path, seed=1, **said)
    (found,) = entries(["gray"], tmp_path)
    assert (found.folders, found.left_out) == (folders, ())


def test_a_run_from_before_a_setting_was_there_has_its_default(tmp_path):
    older, newest = finished(tmp_path), finished(tmp_path, seed=1)
    said = record.settings_of(older)
    for name in ("learn", "soup", "search"):
        del said[name]
    del said["pixels"]["mask"], said["optimiser"]["layer_decay"]
    files.write_text(older / "settings.yaml", yaml.safe_dump(said, explicit_end=True))
    assert entries(["gray"], tmp_path)[0].folders == (older, newest)
    finished(tmp_path, seed=1, soup="others", epochs=0)
    assert entries(["gray"], tmp_path)[0].left_out == (
        "2 older runs of this name left out: they differ in epochs, soup",
    )


def test_runs_that_are_left_out_are_counted_by_what_they_differ_in(tmp_path):
    for seed in (0, 1):
        finished(tmp_path, seed=seed, optimiser=Optimiser(head_lr=0.5))
    finished(tmp_path, dataset="toy@old", loss=Choice(name="triplet", options={"margin": 0.3}))
    finished(tmp_path, seed=2)
    (found,) = entries(["gray"], tmp_path)
    assert len(found.folders) == 1
    assert set(found.left_out) == {
        "2 older runs of this name left out: they differ in optimiser.head_lr",
        "1 older run of this name left out: it differs in dataset, loss",
    }


def test_a_soup_is_no_seed_of_the_trainings_of_its_name(tmp_path):
    trained = [finished(tmp_path, seed=seed, epochs=0) for seed in (0, 1)]
    soup = finished(tmp_path, seed=2, epochs=0, soup="others")
    assert entries(["gray"], tmp_path)[0].folders == (soup,)
    newest = finished(tmp_path, seed=3, epochs=0)
    assert entries(["gray"], tmp_path)[0].folders == (*trained, newest)


@pytest.mark.parametrize("file", ["settings.yaml", "environment.json", "metrics.json"])
def test_a_damaged_run_is_passed_over_where_a_newer_one_has_its_seed_and_that_is_said(tmp_path, file):
    damaged, whole, other = finished(tmp_path), finished(tmp_path), finished(tmp_path, seed=1)
    os.truncate(damaged / file, 3)
    (found,) = entries(["gray"], tmp_path)
    assert found.folders == (whole, other)
    (said,) = found.left_out
    assert said.startswith(f"{damaged.name} left out, it is damaged and older than another of seed 0: ")
    os.truncate(other / file, 3)
    with pytest.raises(DataError, match=f"{other.name}/{file}"):
        entries(["gray"], tmp_path)


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


def test_a_wrong_name_is_told_what_it_is_near_to_and_which_setting_said_it(tmp_path):
    for name in ("losses-triplet", "losses-supcon", "gray"):
        finished(tmp_path, name=name)
    for said, meant in (("gary", "gray"), ("loses", "losses"), ("supcon", "losses-supcon")):
        with pytest.raises(
            DataError, match=f"^runs: '{said}': no such run.*; did you mean {meant}[?] under .* there are: gray"
        ):
            entries([said], tmp_path)
    with pytest.raises(DataError, match="^against: 'gary'"):
        entries(["gary"], tmp_path, setting="against")
    with pytest.raises(DataError) as caught:
        entries(["zzzzzzzz"], tmp_path)
    assert "did you mean" not in str(caught.value)


def test_many_names_are_told_by_their_studies(tmp_path):
    for at in range(12):
        evaluated(tmp_path / f"losses-arm{at}" / "20260101-000000")
    evaluated(tmp_path / "gray" / "20260101-000000")
    with pytest.raises(DataError, match=r"there are: gray, losses-\* \(12\)$"):
        entries(["zzzzzzzz"], tmp_path)


def test_a_studys_own_name_means_all_its_arms_and_no_other_name_that_begins_so(tmp_path):
    for arm in ("triplet", "supcon"):
        finished(tmp_path, name=f"losses-{arm}", arm=arm)
    finished(tmp_path, name="losses-by_hand")
    finished(tmp_path, name="losses-old-supcon", arm="supcon")
    assert [one.name for one in entries(["losses"], tmp_path)] == ["losses-supcon", "losses-triplet"]
    own = finished(tmp_path, name="losses")
    assert [one.folders for one in entries(["losses"], tmp_path)] == [(own,)]


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


def test_two_methods_of_one_name_are_two_entries_told_apart_by_their_first_runs(tmp_path):
    of = {}
    for loss in ("triplet", "supcon"):
        runs = [finished(tmp_path, name="run", seed=seed, loss=Choice(name=loss)) for seed in (0, 1)]
        of[loss] = tuple(evaluated(run / "evaluations" / "toy-test") for run in runs)
    found = entries(["run/*/evaluations/*"], tmp_path)
    assert {(one.name, one.folders) for one in found} == {
        (f"run/toy-test of {folders[0].parent.parent.name}", folders) for folders in of.values()
    }


def test_of_a_seed_that_was_trained_twice_the_newest_evaluation_counts(tmp_path):
    runs = [finished(tmp_path, seed=seed) for seed in (0, 1, 0)]
    _, second, newest = (evaluated(run / "evaluations" / "toy-test") for run in runs)
    (found,) = entries(["gray/*/evaluations/*"], tmp_path)
    assert (found.name, found.folders) == ("gray/toy-test", (newest, second))


def test_evaluations_of_which_val_chose_the_color_are_one_entry(tmp_path):
    name = "toy-abc-test-product-color_val"
    folders = tuple(
        evaluated(finished(tmp_path, seed=seed) / "evaluations" / name, protocol={"color_weight": 0.1 * seed})
        for seed in (0, 1)
    )
    assert [one.folders for one in entries(["gray/*/evaluations/*color_val"], tmp_path)] == [folders]


def test_vectors_that_tell_no_seed_stay_apart_and_two_of_one_seed_are_refused(tmp_path):
    first, second = (
        evaluated(tmp_path / "untrained" / f"vectors-{file}" / "toy", vectors={"name": "theirs"}) for file in "ab"
    )
    assert [one.folders for one in entries(["untrained/vectors-*/*"], tmp_path)] == [(first,), (second,)]
    for file in "ab":
        evaluated(tmp_path / "untrained" / f"vectors-{file}" / "toy", vectors={"name": "theirs", "seed": 4})
    with pytest.raises(DataError, match="vectors-a/toy and untrained/vectors-b/toy both say that they are seed 4"):
        entries(["untrained/vectors-*/*"], tmp_path)


def test_random_weights_of_several_seeds_are_one_entry_and_left_to_chance(tmp_path):
    folders = tuple(
        evaluated(tmp_path / "untrained" / f"random-112-seed{seed}-0123abcd" / "toy-test") for seed in (2, 10)
    )
    pretrained = evaluated(tmp_path / "untrained" / "pretrained-112-0123abcd" / "toy-test")
    joined, alone = sorted(entries(["untrained/*/*"], tmp_path), key=lambda one: -len(one.folders))
    assert (joined.name, joined.folders) == ("untrained/random-112-0123abcd/toy-test", folders)
    assert [seed_of(one) for one in joined.folders] == [2, 10]
    assert [by_chance(one) for one in (*folders, pretrained)] == [True, True, False]
    assert alone.folders == (pretrained,)


def test_what_would_have_one_name_in_spite_of_all_is_refused(tmp_path):
    for seed in (0, 1, 2):
        run = finished(tmp_path, seed=seed)
        evaluated(run.rename(run.with_name(f"20260101-00000{seed}")) / "evaluations" / "toy-test")
    with pytest.raises(DataError, match="several entries would be called gray/toy-test of 20260101-000000"):
        entries(["gray/*/evaluations/*", "gray/*[02]/evaluations/*"], tmp_path)
