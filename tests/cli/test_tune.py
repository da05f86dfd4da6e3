"""A search: what it may choose among is checked first; then trials that are runs, none forgotten and none drawn twice."""

import shutil
import time
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.trial import TrialState

from lookalike.cli import board, main, space, storage, sweep, tune
from lookalike.cli.pool import Ended
from lookalike.settings import ConfigError, DataError

ROOT = Path(__file__).parents[2]
HUNT = """# @package _global_
# Which closed form?
name: hunt
backbone: {model: test_resnet}
pixels: {size: 32}
epochs: 0
defaults:
  - override /backbone: timm
  - override /augment: none
study:
  trials: 4
  space:
    finish: [whitening, centering, pca_whitening, lda]
    pixels.gray: [true, false]
"""


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    at = tmp_path_factory.mktemp("configs")
    shutil.copytree(ROOT / "configs", at, dirs_exist_ok=True)
    (at / "experiment" / "hunt.yaml").write_text(HUNT)
    return at


@pytest.fixture
def search(experiments):
    return lambda *words: sweep.asked(["-m", "experiment=hunt", "dataset=toy", *words], experiments)


def test_a_search_runs_its_trials_and_goes_on_where_it_was(lookalike, shop, experiments, monkeypatch):
    monkeypatch.setattr(main, "configs", lambda: experiments)
    words = ("train", "-m", "experiment=hunt", "dataset=toy", "name=whole")
    first = lookalike(*words, "study.trials=2", at=shop)
    assert "2 of 2 trials of whole are finished" in first
    memory = f"sqlite:///{shop}/runs/whole.optuna.db"
    study = optuna.load_study(study_name="whole", storage=memory)
    study.tell(study.ask({"x": optuna.distributions.FloatDistribution(0, 1)}).number, state=TrialState.FAIL)
    begun = [one.params for one in study.get_trials()[:2]]
    said = lookalike(*words, "study.trials=3", at=shop)
    assert "3 of 3 trials of whole are finished" in said
    done = study.get_trials(states=(TrialState.COMPLETE,))
    assert [one.params for one in done][:2] == begun
    assert said.count("trial ") == 2  # the third, done; and the table's own word
    assert "\n3 of 3, trial 3 (finish=" in f"\n{said}"
    for one in done:
        assert (shop / one.user_attrs["folder"] / "metrics.json").is_file()
    assert "nothing" not in lookalike(*words, "study.trials=3", "plan=true", at=shop)


def test_a_trial_whose_process_died_is_told_and_repeated(search):
    study = optuna.create_study(sampler=space.sampler(0, 0))
    among = space.space_of(search().study.space)
    dead, alive = (tune._next(study, among, 9, seed=0) for _ in range(2))
    dead.set_user_attr("process", 2**22 + 1)  # no system has so many
    alive.set_user_attr("process", 1)
    (told,) = tune._repeat_what_died(study)
    assert told.startswith("trial 1 died (finish=")
    again = tune._next(study, among, 9, seed=0)
    assert again.params == dead.params
    assert [one.state for one in study.get_trials()] == [TrialState.FAIL, TrialState.RUNNING, TrialState.RUNNING]


def test_a_trial_that_was_stopped_is_said_to_be_and_its_repetition_has_its_number(search):
    study = optuna.create_study(sampler=space.sampler(0, 0))
    among = space.space_of(search().study.space)
    done, stopped = (tune._next(study, among, 9, seed=0) for _ in range(2))
    study.tell(done, 0.5)
    for name, value in {"stopped": True, "host": "another"}.items():
        stopped.set_user_attr(name, value)
    (told,) = tune._repeat_what_died(study)
    assert told.startswith("trial 2 was stopped (finish=")
    again = tune._next(study, among, 9, seed=0)
    assert again.params == stopped.params
    assert (again.number, tune._numbers(study)[again.number]) == (2, 2)


def test_a_trial_that_failed_takes_no_other_ones_place(search):
    study = optuna.create_study(sampler=space.sampler(0, 0))
    among = space.space_of(search().study.space)
    assert tune._told(tune._next(study, among, 1, seed=0), study, Ended(code=3, why="no"))
    trial = tune._next(study, among, 1, seed=0)
    assert trial is not None
    study.tell(trial, 0.5)
    assert tune._next(study, among, 1, seed=0) is None


def test_a_search_gives_up_after_three_failures_in_a_row_and_says_why(lookalike, shop, experiments, monkeypatch):
    monkeypatch.setattr(main, "configs", lambda: experiments)
    said = lookalike(
        *("train", "-m", "experiment=hunt", "dataset=toy", "name=hopeless", "match=nobody", "study.trials=9"),
        at=shop,
        code=3,
    )
    assert said.count("0 of 9, trial ") == 3
    assert "3 trials in a row failed, so the search gives up; the last one: " in said
    assert "0 of 9 trials of hopeless are finished" in said


def test_ctrl_c_shows_the_table_of_a_search_and_marks_the_trial_as_stopped(search, shop, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tune.Workers, "run", stopped)
    asked = search(f"paths.runs={shop}/runs", f"paths.data={shop}/data", "name=halted")
    with pytest.raises(KeyboardInterrupt):
        tune.run(asked)
    out = capsys.readouterr().out
    assert "0 of 4 trials of halted are finished" in out
    assert "trial 1 was stopped" in out


def test_a_process_number_that_another_program_got_does_not_keep_a_trial_open_for_ever(search):
    study = optuna.create_study(sampler=space.sampler(0, 0))
    trial = tune._next(study, space.space_of(search().study.space), 9, seed=0)
    trial.set_user_attr("process", 1)  # it always runs
    assert list(tune._repeat_what_died(study)) == []
    trial.set_user_attr("seen", time.time() - tune.SILENT - 1)
    assert len(list(tune._repeat_what_died(study))) == 1


@pytest.mark.parametrize("ended", [Ended(code=1, why="no"), Ended(folder="x", metrics={"chosen": {"value": 0.5}})])
def test_a_trial_that_another_machine_took_for_dead_is_left_as_it_is(search, ended):
    study = optuna.create_study(sampler=space.sampler(0, 0))
    mine, other = (tune._next(study, space.space_of(search().study.space), 9, seed=0) for _ in range(2))
    study.tell(mine.number, state=TrialState.FAIL)
    assert not tune._told(mine, study, ended)
    assert tune._told(other, study, ended)
    assert study.get_trials()[0].user_attrs.keys() == {"host", "process", "seen"}


def test_no_more_is_begun_than_was_asked_for_and_one_machine_leaves_alone_what_another_works_on(search):
    study = optuna.create_study(sampler=space.sampler(0, 0))
    among = space.space_of(search().study.space)
    one, other = (tune._next(study, among, 2, seed=0) for _ in range(2))
    assert tune._next(study, among, 2, seed=0) is None
    other.set_user_attr("host", "another")
    one.set_user_attr("process", 1)
    assert list(tune._repeat_what_died(study)) == []
    other.set_user_attr("seen", 0)
    assert len(list(tune._repeat_what_died(study))) == 1


def test_a_search_draws_the_same_from_the_same_seed_whether_it_was_stopped_or_not(search):
    among = space.space_of({"optimiser.head_lr": {"low": 1e-5, "high": 1e-1, "log": True}})

    def drawn(seed, sessions):
        study, found = optuna.create_study(direction="maximize"), []
        for trials in sessions:
            study.sampler = space.sampler(seed, 0)
            while (trial := tune._next(study, among, trials, seed)) is not None:
                found.append(trial.params["optimiser.head_lr"])
                study.tell(trial, -found[-1])
        return found

    assert drawn(1, [15]) == drawn(1, [4, 11, 15])
    assert len(set(drawn(1, [15]))) == 15
    assert drawn(1, [3]) != drawn(2, [3])


@pytest.mark.parametrize(
    ("chosen", "value"),
    [
        ({"val map@r": 0.25, "value": 0.5}, 0.25),
        ({"value": 0.5}, 0.5),
        ({"val map@r": None, "value": 0.5}, 0.5),
        ({}, 0.75),
    ],
)
def test_what_is_made_large_is_what_val_chose_by(chosen, value):
    assert tune.objective({"chosen": chosen, "val": {"map@r": {"value": 0.75}}}) == value


def test_every_fault_of_a_space_is_told_at_once():
    with pytest.raises(ConfigError) as wrong:
        space.space_of({"a": {"low": 1}, "b": 3, "c": {"low": 0, "high": 1, "log": True}, "d": {"lo": 1}, "e": []})
    for name in "abcde":
        assert f"\n  study.space.{name}: " in str(wrong.value)


def test_every_value_of_a_space_is_read_by_the_door_before_the_first_trial(search):
    asked = search("study.space={finish: [whitening, whitning], epochs: {low: -1, high: 3, int: true}}")
    with pytest.raises(ConfigError) as wrong:
        space.checked(asked, space.space_of(asked.study.space))
    assert "'whitning'" in str(wrong.value)
    assert "epochs: must be 0 or more" in str(wrong.value)


def test_what_the_user_settles_is_not_searched(search):
    assert set(search("finish=lda").study.space) == {"pixels.gray"}
    with pytest.raises(ConfigError, match="nothing is left to search"):
        search("finish=lda", "pixels.gray=true")
    with pytest.raises(ConfigError, match="a search takes one value"):
        search("seed=0,1")
    with pytest.raises(ConfigError, match="how many runs"):
        search("study.trials=0")


def test_a_search_of_the_same_name_that_asks_something_else_is_refused(search, shop, tmp_path, lookalike):
    shutil.copytree(shop / "data", tmp_path / "data")

    def opened(*words):
        asked = search(f"paths.runs={tmp_path}/runs", f"paths.data={tmp_path}/data", "finish=lda", *words)
        return storage.opened(asked, space.checked(asked, space.space_of(asked.study.space)))

    opened()
    opened("study.trials=9", "study.pool=2")
    with pytest.raises(ConfigError, match=r"name=\.\.\., or remove \S+/runs/hunt\.optuna\.db to begin this one anew"):
        opened("mirror=true")
    with pytest.raises(ConfigError, match=r"begun with other settings: mirror \(was False, is True\)"):
        opened("mirror=true")
    lookalike("import", "adapter=toy", "adapter.styles=12", "adapter.size=32", "name=toy", at=tmp_path)
    with pytest.raises(ConfigError, match=r"begun with other settings: dataset \(was 'toy@\w+', is 'toy@\w+'\)"):
        opened()
    (version,) = {one.name for one in (shop / "data" / "datasets" / "toy").iterdir() if one.is_dir()}
    opened(f"dataset=toy@{version}")


def test_the_words_of_a_search_are_not_broken_at_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = yaml.safe_load((ROOT / "configs" / "experiment" / "search_head.yaml").read_text())["study"]["space"]
    chosen = dict(zip(names, ["multi_similarity", 0.00123456, 0.0123456, 32, 4, 20], strict=True))
    board.search("a search", "val map@r", list(names), [board.Trial(number=10, chosen=chosen, value=0.51239)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["trial", "loss", "head_lr", "weight_decay", "products", "views", "epochs", "map@r"]
    assert lines[3].split() == ["10", "multi_similarity", "0.001235", "0.01235", "32", "4", "20", "0.5124"]
    assert max(map(len, lines)) <= 80
    board.search("a search", "val map@r", ["loss.margin", "start.margin"], [])
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "        loss.  start.    val",
        "trial  margin  margin  map@r",
    ]


def test_a_storage_that_cannot_be_opened_is_said_without_its_password(search, tmp_path):
    asked = search(f"paths.runs={tmp_path}", "study.storage=postgresql+psycopg://me:secret@127.0.0.1:1/none")
    with pytest.raises(DataError, match="cannot be opened") as wrong:
        storage.opened(asked, space.checked(asked, space.space_of(asked.study.space)))
    assert "secret" not in str(wrong.value)
