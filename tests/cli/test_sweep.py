"""Studies: what the words of a command ask for, told before anything runs; then every arm with every seed, and only once."""

import json
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

from lookalike.cli import main, sweep
from lookalike.settings import ConfigError

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
SEARCH = "name: hunt\nstudy: {trials: 3, space: {loss.margin: {low: 0.1, high: 1.0}}}"


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    """A folder of YAML files with experiments of these tests."""
    at = tmp_path_factory.mktemp("configs")
    shutil.copytree(ROOT / "configs", at, dirs_exist_ok=True)
    for name, text in {"mine": MINE, "closed": CLOSED, "hunt": f"# @package _global_\n# Where?\n{SEARCH}\n"}.items():
        (at / "experiment" / f"{name}.yaml").write_text(text.lstrip())
    for name, study in {
        "legacy/both": "{arms: {a: seed=0}, space: {loss.margin: [1, 2]}, trials: 2}",
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
    jobs = asked("-m", "experiment=mine", "loss=supcon", "seed=5").jobs
    assert [job.settings.loss.name for job in jobs] == ["pml:SupConLoss"] * 3
    assert [job.settings.loss.options for job in jobs] == [{"temperature": 0.07}] * 3


def test_the_users_own_sweep_multiplies_an_arms_runs(asked):
    jobs = asked("-m", "experiment=mine", "arm=near", "seed=3,4", "optimiser.head_lr=1e-3,1e-4").jobs
    assert [(job.settings.seed, job.settings.optimiser.head_lr) for job in jobs] == [
        *((3, 1e-3), (3, 1e-4), (4, 1e-3), (4, 1e-4)),
    ]
    assert jobs[1].label == "mine-near, seed 3, optimiser.head_lr=0.0001"


def test_without_m_one_arm_is_one_run_of_hydras_own(asked, study):
    assert asked("experiment=mine", "arm=triplet")[-1] == "name=mine-triplet"
    said = yaml.safe_load(study("experiment=mine", "arm=triplet", "loss.margin=0.9", "--cfg", "job"))
    assert (said["name"], said["loss"]["margin"], said["seed"]) == ("mine-triplet", 0.9, 0)


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


def test_a_study_shows_its_runs_and_runs_only_what_is_missing(study, shop):
    first = study("-m", "experiment=closed", "seed=0")
    assert "1 of 2: closed-bare, seed 0" in first
    assert "closed: 2 of 2 runs stand" in first
    assert "compare them: lookalike compare closed-bare closed-whitened" in first
    plan = study("-m", "experiment=closed", "seed=0,1", "plan=true")
    assert "closed: 2 of 4 runs stand" in plan
    assert (plan.count("stood"), plan.count("to be done")) == (2, 2)
    runs = set((shop / "runs").glob("closed-*/*"))
    again = study("-m", "experiment=closed", "seed=0")
    assert again.count("stood") == 2
    assert set((shop / "runs").glob("closed-*/*")) == runs
    (told,) = (shop / "runs" / "closed-whitened").glob("*/metrics.json")
    test = json.loads(told.read_text())["test"]["recall@1"]
    assert f"{test['value']:.3f} ({test['ci95'][0]:.3f} to {test['ci95'][1]:.3f})" in again


def test_a_run_that_fails_stops_no_other_and_the_worst_exit_code_is_the_studys(study):
    said = study("-m", "experiment=closed", "name=bad", "match=product,nobody", "arm=bare", "seed=0", code=3)
    assert "bad: 1 of 2 runs stand" in said
    assert "failed: " in said


def test_a_data_set_that_is_not_there_is_said_once(lookalike, experiments, monkeypatch, tmp_path):
    monkeypatch.setattr(main, "configs", lambda: experiments)
    said = lookalike("train", "-m", "experiment=closed", "dataset=gone", at=tmp_path, code=3)
    assert said.count("gone") == 1


ARMS = ("near ", "triplet ", "library ")
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


def test_ctrl_c_ends_a_study_of_several_processes_and_the_same_command_goes_on(study, shop, experiments):
    """The one that is stopped learns for ever."""
    words = ("-m", "experiment=mine", "name=pooled", "study.pool=2", "study.seeds=[0]", "epochs=3000")
    process = begun(experiments, shop, *words)
    while len(list((shop / "runs").glob("pooled-*/*/history.jsonl"))) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == main.STOPPED
    assert "Traceback" not in said
    assert "pooled: 0 of 3 runs stand" in out
    assert said.endswith("stopped; what was finished is kept.\n")
    assert len(list((shop / "runs").glob("pooled-*/*"))) == 2


def test_runs_at_once_come_to_the_same_as_one_after_another(shop, experiments, study):
    process = begun(experiments, shop, "-m", "experiment=mine", "name=twice", "study.pool=2", "study.seeds=[0]")
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "twice: 3 of 3 runs stand" in out
    assert "twice-near, seed 0: epoch 1/1" in said
    one_by_one = study("-m", "experiment=mine", "name=once", "seed=0")
    rows = [[line.split()[:6] for line in told.splitlines() if line.startswith(ARMS)] for told in (out, one_by_one)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 3


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
