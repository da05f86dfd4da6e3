"""Studies: what the words of a command ask for, told before anything runs; then every arm with every seed, and only once."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest
import yaml

from lookalike.cli import board, main, pool, sweep
from lookalike.cli.pool import Ended
from lookalike.settings import ConfigError
from lookalike.tracking import record

ROOT = Path(__file__).parents[2]
MINE = """
# @package _global_
# Does a margin matter?
name: mine
backbone: {model: test_resnet}
pixels: {size: 32}
batch: {products: 4}
optimiser: {backbone_lr: 0}
epochs: 1
threads: 1
defaults:
  - override /backbone: timm
  - override /augment: none
  - override /head: linear
study:
  seeds: [0, 1]
  arms:
    near: loss.margin=0.5
    triplet: loss=triplet loss.margin=0.3
    library: loss=pml:ProxyAnchorLoss head=projection
"""
CLOSED = """
# @package _global_
# Which closed form?
name: closed
backbone: {model: test_resnet}
pixels: {size: 32}
epochs: 0
defaults:
  - override /backbone: timm
  - override /augment: none
study:
  arms:
    bare: finish=null
    whitened: finish=whitening
"""
UNEVEN = (
    MINE[: MINE.index("  seeds:")].replace("name: mine", "name: uneven")
    + """
  seeds: [0]
  arms:
    endless: epochs=3000
    short: loss.margin=0.5
    triplet: loss=triplet loss.margin=0.3
"""
)
SEARCH = "name: hunt\nstudy: {trials: 3, space: {loss.margin: {low: 0.1, high: 1.0}}}"


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    """A folder of YAML files with experiments of these tests."""
    at = tmp_path_factory.mktemp("configs")
    shutil.copytree(ROOT / "configs", at, dirs_exist_ok=True)
    ours = {"mine": MINE, "uneven": UNEVEN, "closed": CLOSED, "hunt": f"# @package _global_\n# Where?\n{SEARCH}\n"}
    for name, text in ours.items():
        (at / "experiment" / f"{name}.yaml").write_text(text.lstrip())
    for name, study in {
        "legacy/both": "{arms: {a: seed=0}, space: {loss.margin: [1, 2]}, trials: 2}",
        "twice": "{arms: {a: loss.margin=0.5, b: loss.margin=0.50, c: loss.margin=0.7}}",
        "broken": "{arms: {a: loss.margn=1 name=x, b: epochs=-1 loss.margin=-1, c: 'epochs=\"1'}}",
    }.items():
        (at / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\nname: x\nstudy: {study}\n")
    return at


@pytest.fixture
def study(lookalike, shop, experiments, monkeypatch):
    """The command, with those experiments."""
    monkeypatch.setattr(main, "configs", lambda: experiments)

    def run(*words, code=0):
        return lookalike("train", "dataset=toy", *words, at=shop, code=code)

    return run


@pytest.fixture
def asked(experiments):
    return lambda *words: sweep.asked(["dataset=toy", *words], experiments)


def refused(asked, *words):
    with pytest.raises(ConfigError) as wrong:
        asked(*words)
    return str(wrong.value)


def test_every_arm_is_asked_with_every_seed_under_a_name_of_its_own(asked):
    jobs = asked("-m", "experiment=mine").jobs
    assert [(job.settings.name, job.settings.arm, job.settings.seed) for job in jobs] == [
        *(("mine-near", "near", 0), ("mine-near", "near", 1)),
        *(("mine-triplet", "triplet", 0), ("mine-triplet", "triplet", 1)),
        *(("mine-library", "library", 0), ("mine-library", "library", 1)),
    ]
    assert [job.settings.loss.name for job in jobs[::2]] == ["contrastive", "triplet", "pml:ProxyAnchorLoss"]
    assert [job.settings.loss.options.get("margin") for job in jobs[::2]] == [0.5, 0.3, None]
    assert [job.settings.head.name for job in jobs[::2]] == ["linear", "linear", "projection"]
    assert {job.settings.again for job in jobs} == {False}
    assert {job.settings.wandb.group for job in jobs} == {"mine"}


def test_what_the_user_says_wins_over_what_an_arm_says(asked):
    (job,) = asked("-m", "experiment=mine", "arm=near", "loss.margin=0.7", "seed=5", "again=true", "name=steer").jobs
    assert (job.settings.loss.options["margin"], job.settings.seed, job.settings.again) == (0.7, 5, True)
    assert job.settings.name == "steer-near"
    jobs = asked("-m", "experiment=mine", "head=projection", "head.dimensions=32", "seed=5").jobs
    assert [job.settings.head.options["dimensions"] for job in jobs] == [32] * 3


def test_a_word_that_makes_several_arms_one_run_is_refused_with_their_names(asked):
    said = refused(asked, "-m", "experiment=gray_vs_color", "pixels.gray=true")
    assert "\n  arms rgb, gray: the same run, as pixels.gray=true takes the place of what they say; " in said
    assert "\n  arms gray_histogram_learnt, rgb_histogram_learnt: the same run" in said
    assert "arms linear_128, linear_512, projection_128: the same run, as head=linear takes" in refused(
        asked, "-m", "experiment=heads_and_dims", "head=linear", "seed=0"
    )
    assert "arms near, triplet: the same run, as loss=supcon takes" in refused(
        asked, "-m", "experiment=mine", "loss=supcon", "seed=5"
    )
    assert "arms rgb, gray: " in refused(asked, "-m", "experiment=gray_vs_color", "pixels.gray=true,false")


def test_arms_that_a_study_itself_makes_the_same_are_refused(asked):
    assert refused(asked, "-m", "experiment=twice").endswith(
        "\n  arms a, b: the same run under several names; leave all but one out of study.arms"
    )


def test_a_word_that_takes_the_place_of_what_an_arm_says_is_warned_of(asked, capsys):
    asked("-m", "experiment=mine", "loss.margin=0.7")
    assert capsys.readouterr().err == "loss.margin=0.7 takes the place of what arm near, triplet says\n"
    asked("-m", "experiment=mine", "arm=near", "loss.margin=0.5", "patience=1", "seed=0")
    asked("-m", "experiment=mine", "arm=library", "loss.margin=0.5")
    assert capsys.readouterr().err == ""
    asked("experiment=mine", "arm=near", "loss=triplet")
    assert capsys.readouterr().err == "loss=triplet takes the place of what arm near says\n"


def test_the_users_own_sweep_multiplies_an_arms_runs(asked):
    jobs = asked("-m", "experiment=mine", "arm=near", "seed=3,4", "optimiser.head_lr=1e-3,1e-4").jobs
    assert [(job.settings.seed, job.settings.optimiser.head_lr) for job in jobs] == [
        *((3, 1e-3), (3, 1e-4), (4, 1e-3), (4, 1e-4)),
    ]
    assert jobs[1].label == "mine-near, seed 3, optimiser.head_lr=0.0001"


def test_without_m_one_arm_is_one_run_of_hydras_own(asked, study):
    assert asked("experiment=mine", "arm=triplet")[-1] == "name=mine-triplet"
    said = yaml.safe_load(study("experiment=mine", "arm=triplet", "patience=9", "--cfg", "job"))
    assert (said["name"], said["loss"]["margin"], said["patience"]) == ("mine-triplet", 0.3, 9)


def test_a_study_that_is_not_swept_is_refused_with_what_can_be_typed(asked):
    assert refused(asked, "experiment=mine") == (
        "experiment=mine asks 3 questions: add -m to run them all, or arm=NAME for one; there are near, triplet, library"
    )


def test_an_arm_that_is_not_there_is_named_with_those_that_are(asked):
    assert refused(asked, "experiment=mine", "arm=tripet").endswith(
        "there are near, triplet, library; did you mean 'triplet'?"
    )
    assert "has no arms; leave arm out. Experiments with arms: " in refused(asked, "experiment=styles", "arm=x")
    assert "arms are an experiment's" in refused(asked, "arm=x")


def test_every_fault_of_every_arm_is_told_before_anything_runs(study, shop):
    said = study("-m", "experiment=broken", code=2)
    assert "arm a: 'name=x': a study gives each run its name; leave that out" in said
    assert "arm b: epochs: must be 0 or more" in said
    assert "arm c: 'epochs=\"1': No closing quotation" in said
    assert not (shop / "runs").exists() or not list((shop / "runs").glob("x*"))


def test_a_fault_of_the_command_itself_is_told_once(asked):
    said = refused(asked, "-m", "experiment=mine", "patience=-1", "loss.mining=hard")
    assert said.count("patience: must be 0 or more") == 1
    assert "\n  arm near, library: loss.mining: no such setting (you gave 'hard')" in said


def test_what_is_half_a_study_and_half_something_else_is_refused(asked):
    assert "not both" in refused(asked, "-m", "experiment=legacy/both")
    assert "study.pool=N" in refused(asked, "-m", "experiment=mine", "hydra/launcher=basic")
    assert "run with -m" in refused(asked, "experiment=hunt", "study.trials=3")
    assert "study.pool: must be 1 or more" in refused(asked, "-m", "experiment=mine", "study.pool=0")


def test_a_sweep_without_a_study_stays_hydras(asked):
    assert asked("-m", "experiment=quickstart", "seed=0,1") == [
        "dataset=toy",
        "-m",
        "experiment=quickstart",
        "seed=0,1",
    ]
    assert asked("-m", "experiment=no", "seed=0,1") == ["dataset=toy", "-m", "experiment=no", "seed=0,1"]
    assert not sweep.concerns(["-m", "optimiser.head_lr=1e-3,1e-4"])


def test_several_experiments_are_a_question_each(asked, experiments, study):
    mine, closed = sweep.questions(["dataset=toy", "-m", "experiment=mine,closed", "seed=0"], experiments)
    assert [job.settings.name for job in mine.jobs] == ["mine-near", "mine-triplet", "mine-library"]
    assert [job.settings.name for job in closed.jobs] == ["closed-bare", "closed-whitened"]
    assert {job.swept for job in (*mine.jobs, *closed.jobs)} == {""}
    plan = study("-m", "experiment=mine,hunt,closed", "seed=0", "plan=true")
    assert "mine: 0 of 3 runs stand" in plan
    assert "0 of 3 trials of hunt are finished" in plan
    assert "closed: 0 of 2 runs stand" in plan


def test_several_experiments_without_a_study_stay_hydras_and_a_mixture_is_refused(experiments):
    words = ["dataset=toy", "-m", "experiment=quickstart,styles"]
    assert sweep.questions(words, experiments) == words
    with pytest.raises(ConfigError, match="experiment=quickstart: a run, not a study; give it a command of its own"):
        sweep.questions(["dataset=toy", "-m", "experiment=mine,quickstart"], experiments)
    wrong = ["dataset=toy", "-m", "experiment=mine,quickstrt"]
    assert sweep.questions(wrong, experiments) == wrong  # Hydra's way names the nearest


def test_a_plain_sweep_heeds_the_pool(asked):
    question = asked("-m", "seed=0,1", "epochs=1,2", "study.pool=2")
    assert question.pool == 2
    assert [(job.settings.seed, job.settings.epochs, job.swept) for job in question.jobs] == [
        *((0, 1, "epochs=1"), (0, 2, "epochs=2"), (1, 1, "epochs=1"), (1, 2, "epochs=2")),
    ]
    assert asked("-m", "seed=0,1", "study.pool=1") == ["dataset=toy", "-m", "seed=0,1", "study.pool=1"]


def test_what_a_study_would_not_heed_is_refused(asked):
    said = refused(asked, "-m", "seed=0,1", "study.trials=3", "study.storage=sqlite:///x")
    assert "\n  study.trials: of a search, and there is no study.space to search" in said
    assert "\n  study.storage: of a search" in said
    assert "study.pool: studies and searches are run with -m" in refused(asked, "study.pool=2")
    assert "study.pool: one value is wanted" in refused(asked, "-m", "experiment=mine", "study.pool=1,2")


def test_the_name_of_an_arm_is_not_broken_at_80_columns(asked, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    jobs = asked("-m", "experiment=gray_vs_color", "seed=0", "optimiser.head_lr=0.001,0.0001").jobs
    test = {"value": 0.5, "ci95": [0.25, 0.75]}
    metrics = {"val": {"map@r": test}, "test": {"recall@1": test}, "cost": {"training_minutes": 12.0}}
    board.study(jobs, [Ended(folder="x", metrics=metrics), *[None] * (len(jobs) - 1)])
    lines = capsys.readouterr().out.split("compare them")[0].splitlines()
    for job in jobs:
        assert any(line.startswith(f"{job.settings.arm} ") and job.swept in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_study_shows_its_runs_and_runs_only_what_is_missing(study, shop):
    first = study("-m", "experiment=closed", "seed=0")
    told = [line for line in first.split("closed: 2 of 2 runs stand")[0].splitlines() if "closed-" in line]
    assert [line.partition(": val map@r ")[0] for line in told] == [
        "1 of 2 closed-bare, seed 0",
        "2 of 2 closed-whitened, seed 0",
    ]
    assert "95 % interval" not in first
    assert "closed: 2 of 2 runs stand" in first
    assert "compare them: lookalike compare closed-bare closed-whitened" in first
    plan = study("-m", "experiment=closed", "seed=0,1", "plan=true")
    assert "closed: 2 of 4 runs stand" in plan
    assert (plan.count("stood"), plan.count("to be done\n")) == (2, 2)
    assert "2 to be done: about 0." in plan
    runs = set((shop / "runs").glob("closed-*/*"))
    again = study("-m", "experiment=closed", "seed=0")
    assert again.count(", stood\n") == 2
    assert set((shop / "runs").glob("closed-*/*")) == runs
    (told,) = (shop / "runs" / "closed-whitened").glob("*/metrics.json")
    test = json.loads(told.read_text())["test"]["recall@1"]
    assert f"{test['value']:.3f} ({test['ci95'][0]:.3f} to {test['ci95'][1]:.3f})" in again


def test_the_minutes_of_what_is_missing_are_told_by_the_same_arm_or_else_by_all_that_stand(asked, capsys):
    jobs = asked("-m", "experiment=mine").jobs
    value = {"value": 0.5, "ci95": [0.25, 0.75]}
    near, triplet = (
        Ended(
            folder="x", metrics={"val": {"map@r": value}, "test": {"recall@1": value}, "cost": {"training_minutes": m}}
        )
        for m in (2.0, 6.0)
    )
    board.plan(jobs, [near, None, triplet, None, None, None], 1)
    assert "4 to be done: about 16.0 minutes of training, by those that stand\n" in capsys.readouterr().out
    board.plan(jobs, [near, None, triplet, None, None, None], 2)
    assert "about 8.0 minutes of training, by those that stand, 2 at once" in capsys.readouterr().out
    board.plan(jobs, [None] * 6, 1)
    assert "about" not in capsys.readouterr().out


def test_an_experiment_of_ones_own_stands_in_the_folder_where_one_works(lookalike, shop, experiments):
    own = shop / "configs" / "experiment" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(CLOSED.replace("name: closed", "name: own").lstrip())
    assert "  own  " in lookalike("train", "--help", at=shop)
    assert "Which closed form?" in lookalike("train", "experiment=own", "--help", at=shop)
    assert "own: 0 of 2 runs stand" in lookalike("train", "-m", "experiment=own", "dataset=toy", "plan=true", at=shop)
    assert "plan (nothing was done)" in lookalike(
        "train", "experiment=own", "arm=bare", "dataset=toy", "plan=true", at=shop
    )
    said = lookalike("train", "--config-dir", "configs", "experiment=own", at=shop, code=2)
    assert said.startswith("lookalike train: --config-dir is not needed: ")


def test_a_run_that_fails_stops_no_other_and_the_worst_exit_code_is_the_studys(study):
    said = study("-m", "experiment=closed", "name=bad", "match=product,nobody", "arm=bare", "seed=0", code=3)
    assert "bad: 1 of 2 runs stand" in said
    assert "failed: " in said


def test_a_data_set_that_is_not_there_is_said_once(lookalike, experiments, monkeypatch, tmp_path):
    monkeypatch.setattr(main, "configs", lambda: experiments)
    said = lookalike("train", "-m", "experiment=closed", "dataset=gone", at=tmp_path, code=3)
    assert said.count("gone") == 1


ARMS = ("short ", "triplet ")
LOOK = """
import sys
from pathlib import Path
from lookalike.cli import main
at = Path(sys.argv[1])
main.configs = lambda: at
main.main(sys.argv[2:])
"""


def begun(experiments, at, *words):
    """The command in a process of its own, as Ctrl-C is to be sent to it."""
    command = [sys.executable, "-c", LOOK, str(experiments), "train", "dataset=toy", *words]
    return subprocess.Popen(command, cwd=at, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_ends_a_study_of_several_processes_and_the_same_one_goes_on_with_what_is_missing(
    study, shop, experiments
):
    words = ("-m", "experiment=mine", "name=pooled", "study.seeds=[0]", "epochs=40")
    study(*words, "arm=near")
    process = begun(experiments, shop, *words, "study.pool=2")
    while len(list((shop / "runs").glob("pooled-*/*/history.jsonl"))) < 3:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == main.STOPPED
    assert "Traceback" not in said
    stood = int(re.search(r"pooled: (\d) of 3 runs stand", out)[1])
    assert stood in (1, 2)  # the quicker one may have come to its end before it was told
    assert said.endswith("stopped; what was finished is kept, and the same command goes on where it was.\n")
    runs = set((shop / "runs").glob("pooled-*/*"))
    again = study(*words)
    assert "pooled: 3 of 3 runs stand" in again
    assert (again.count(", stood\n"), again.count("going on with")) == (stood, 3 - stood)
    assert "epoch 40/40" not in again
    assert set((shop / "runs").glob("pooled-*/*")) == runs


@pytest.fixture(scope="module")
def killed(shop, experiments):
    """A study of two processes, one of which was killed while it worked on an arm that learns for ever."""
    process = begun(experiments, shop, "-m", "experiment=uneven", "study.pool=2")
    while not (locks := list((shop / "runs").glob("uneven-endless/*/history.jsonl"))):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    os.kill(holder(locks[0].with_name(".lock")), signal.SIGKILL)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    return out, said


def holder(lock):
    """The process that has a file open, as Linux tells it."""
    (found,) = {int(one.parts[2]) for one in Path("/proc").glob("[0-9]*/fd/*") if opens(one, lock)}
    return found


def opens(handle, file):
    try:
        return handle.samefile(file)
    except OSError:  # closed meanwhile, or somebody else's
        return False


def test_a_worker_that_is_killed_fails_only_its_own_run(killed):
    out, said = killed
    assert "uneven: 2 of 3 runs stand" in out
    assert next(one for one in out.splitlines() if one.startswith("endless")).split()[:6] == [
        "endless",
        "0",
        *"---",
        "failed:",
    ]
    assert "uneven-endless, seed 0: its process died: it was killed" in said
    assert "Traceback" not in said


def test_runs_at_once_come_to_the_same_as_one_after_another(killed, study):
    out, said = killed
    assert "epoch 1/1" not in said
    assert " of 3 uneven-short, seed 0: val map@r " in said
    one_by_one = "".join(study("-m", "experiment=uneven", "name=once", f"arm={arm}") for arm in ("short", "triplet"))
    rows = [[line.split()[:6] for line in told.splitlines() if line.startswith(ARMS)] for told in (out, one_by_one)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 2


def test_a_damaged_run_of_the_same_name_does_not_make_a_finished_one_fail(asked, tmp_path):
    settings = asked("-m", "experiment=closed", f"paths.runs={tmp_path}", "seed=0").jobs[0].settings
    for name, text in {"whole": yaml.safe_dump(record.plain(settings), explicit_end=True), "damaged": "na"}.items():
        folder = tmp_path / settings.name / name
        folder.mkdir(parents=True)
        (folder / "settings.yaml").write_text(text)
        (folder / "metrics.json").write_text("{}")
    later = time.time() + 60
    os.utime(folder / "metrics.json", (later, later))
    assert pool._left(settings).folder == str(tmp_path / settings.name / "whole")


def script():
    loader = SourceFileLoader("wandb_sweep", str(ROOT / "scripts" / "wandb_sweep"))
    module = module_from_spec(spec_from_loader("wandb_sweep", loader))
    loader.exec_module(module)
    return module


def agents_words(sweep_yaml, chosen):
    """What an agent of W&B would type, by its own code."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    command = create_sweep_command(list(sweep_yaml["command"]))
    args = create_sweep_command_args({"args": {name: {"value": value} for name, value in chosen.items()}})
    return [word for part in command for word in (args["args_no_hyphens"] if part == "${args_no_hyphens}" else [part])]


def test_a_study_is_a_grid_of_wandb_whose_agents_run_each_of_its_runs(monkeypatch, experiments):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = script()
    monkeypatch.setattr(module, "configs", lambda: experiments)
    told = yaml.safe_load(yaml.safe_dump(module.described("mine", ["dataset=toy"])))
    assert (told["method"], told["parameters"]) == (
        "grid",
        {"arm": {"values": ["near", "triplet", "library"]}, "seed": {"values": [0, 1]}},
    )
    words = agents_words(told, {"arm": "triplet", "seed": 1})
    assert words[:2] == ["lookalike", "train"]
    settled = sweep.asked(words[2:], experiments)
    assert settled[-1] == "name=mine-triplet"
    assert {"tracking=wandb", "again=false", "seed=1"} <= set(settled)


def test_a_search_is_one_of_wandbs_own_with_the_same_space(monkeypatch, experiments):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = script()
    monkeypatch.setattr(module, "configs", lambda: experiments)
    told = module.described("hunt", ["dataset=toy", "tracking=both"])
    assert (told["method"], told["run_cap"], told["metric"]["name"]) == ("bayes", 3, "val/map@r")
    assert told["parameters"] == {"loss.margin": {"distribution": "uniform", "min": 0.1, "max": 1.0}}
    words = agents_words(told, {"loss.margin": 0.25})
    assert words[2:] == ["experiment=hunt", "dataset=toy", "tracking=both", "again=false", "loss.margin=0.25"]
    assert sweep.asked(words[2:], experiments) == words[2:]
    wanted = {
        "distribution": "int_uniform",
        "min": 2,
        "max": 4,
    }
    assert module.distribution({"low": 2, "high": 4, "int": True}) == wanted
    assert module.distribution({"low": 1e-5, "high": 1e-2, "log": True})["distribution"] == "log_uniform_values"
    assert module.distribution([None, 1]) == {"values": ["null", 1]}
    with pytest.raises(ConfigError, match="neither arms nor a space"):
        module.described("quickstart", ["dataset=toy"])
