"""W&B, offline and for real: what its own file holds is what the run folder holds; and what happens where W&B cannot be."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lookalike.settings import Choice, LookalikeError, Train, Wandb
from lookalike.tracking import mirror, mirror_file, record

SETTINGS = Train(
    name="try",
    dataset="toy",
    backbone=Choice(name="efficientnet_lite0"),
    head=Choice(name="identity"),
    loss=Choice(name="contrastive", options={"margin": 0.5}),
    augment=Choice(name="none"),
    tracking="both",
    wandb=Wandb(project="shoes", group="first"),
)
METRICS = {
    "protocol": {"match": "product"},
    "val": {"map@r": {"value": 0.75, "ci95": [0.5, 1.0], "queries": 4}, "queries": 4},
    "test": {"recall@1": {"value": 0.5, "ci95": [0.25, 0.625], "queries": 3}, "queries": 3},
    "slices": {"brand": {"Dr. Martens": {"recall@1": {"value": 0.5, "ci95": [0.0, 1.0], "queries": 2}}}},
    "chosen": {"by": "val map@r", "epoch": 2, "value": 0.75},
    "checkpoint": {"file": "checkpoints/best.ckpt", "sha256": "ab" * 32},
}
QUERIES = pl.DataFrame(
    {
        "image": ["a", "b", "c"],
        "product": ["1", "1", "2"],
        "rank": [1, 2, 3],
        "score": [0.9, 0.8, 0.7],
        "nearest": [["b", "c"], ["c", "a"], ["a", "b"]],
    }
)
MANIFEST = {
    "name": "Schuhe für alle",
    "version": "abc",
    "source": "/home/somebody/photographs",
    "counts": {"pictures": 3},
    "split": {"rule": "auto"},
    "files": {"views.parquet": {"sha256": "12", "bytes": 1}},
}
KEY = "k" * 40


def picture(image):
    return np.full((8, 8, 3), 40 * ord(image) % 256, np.uint8)


def twins(one, other):
    return {one, other} == {"a", "b"}


def scalars(step):
    told = {"train/loss": 1 / step, "lr/0": 1e-3 * step / 7, "positives": float(step)}
    return told if step % 5 else told | {"odd": float("nan")}


def log(book, mirrored, steps):
    """As a training logs: each step, and val after each ten."""
    for step in steps:
        lines = [scalars(step), {"val/map@r": step / 100}] if step % 10 == 0 else [scalars(step)]
        for line in lines:
            book.log(line, step, step // 10)
            mirrored.log(line, step, step // 10)


def finish(book, mirrored):
    (book.folder / "checkpoints").mkdir(exist_ok=True)
    (book.folder / "checkpoints" / "best.ckpt").write_bytes(b"weights")
    book.finish(METRICS, QUERIES)
    mirrored.finish(METRICS, QUERIES, MANIFEST, picture, twins)


def begin(runs, settings=SETTINGS):
    return record.start(runs, "try", settings, dataset="toy@abc", seed=0)


def same(one, other):
    """Equal, where not-a-number equals itself."""
    plain = [
        [{name: str(value) if value != value else value for name, value in line.items()} for line in lines]
        for lines in (one, other)
    ]
    return plain[0] == plain[1]


def read(folder):
    return mirror_file.read(mirror_file.newest(folder))


def surroundings(patch, home, **said):
    """The environment of somebody whom W&B does not know."""
    for name in [one for one in os.environ if one.startswith("WANDB_") or one.lower().endswith("_proxy")]:
        patch.delenv(name)
    for name, value in {"HOME": str(home), "NETRC": str(home / "netrc"), **said}.items():
        patch.setenv(name, value)


def ended():
    """End wandb's process, and forget what it read of the environment."""
    import wandb

    wandb.teardown()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def run(tmp_path_factory, home):
    """The folder of a whole run, mirrored offline."""
    with pytest.MonkeyPatch.context() as patch:
        surroundings(patch, home, WANDB_MODE="offline")
        patch.chdir(home)
        mirrored = mirror.ready(SETTINGS)
        book = begin(tmp_path_factory.mktemp("runs"))
        with mirrored.of(book.folder):
            log(book, mirrored, range(1, 1001))
            finish(book, mirrored)
        ended()
    assert (mirrored.why, mirrored.where[:14]) == ("", "`wandb sync " + str(book.folder)[:2])
    return book.folder


@pytest.fixture
def offline(monkeypatch, tmp_path):
    surroundings(monkeypatch, tmp_path / "home", WANDB_MODE="offline")
    yield
    ended()


@pytest.fixture
def unknown(monkeypatch, tmp_path):
    """Nobody is logged in; a test says the rest."""
    surroundings(monkeypatch, tmp_path / "home")
    yield monkeypatch
    ended()


# What W&B is shown


def test_every_scalar_of_every_step_is_that_of_the_history(run):
    local = record.history_of(run)
    assert len(local) == 1100
    assert same(read(run).history, local)


def test_the_config_is_the_settings_and_what_the_figures_depend_on(run):
    config = read(run).config
    told = record.environment_of(run)
    assert config.pop("environment") == {name: told[name] for name in mirror.TOLD}
    assert config == record.what(record.settings_of(run))
    assert config["loss"] == {"name": "contrastive", "margin": 0.5}


def test_the_run_has_the_name_of_its_folder_and_stands_where_the_settings_say(run):
    found = read(run)
    assert (found.name, found.project, found.group, found.exit_code) == (f"try/{run.name}", "shoes", "first", 0)


def test_the_summary_is_metrics_json_by_flat_names(run):
    summary = read(run).summary
    wanted = mirror.flat(record.metrics_of(run))
    assert {name: summary.get(name) for name in wanted} == wanted
    assert summary.keys() - wanted == {"step", "epoch", *scalars(5)}  # the last of each curve
    # 0.75 of the chosen weights, not the 10.0 that val had at last
    assert [summary[f"val/map@r{end}"] for end in ("", "/low", "/high")] == [0.75, 0.5, 1.0]
    assert summary["slices/brand/Dr. Martens/recall@1/high"] == 1.0


def test_queries_stand_beside_their_nearest_with_hit_or_miss(run):
    found = read(run)
    assert found.tables["queries"]["nrows"] == 3
    files = found.artifacts[f"run-{found.id}-queries"]["files"]
    assert sum(name.endswith(".jpg") for name in files) == 3  # each picture once, however often it is shown
    table = json.loads(next(run.glob("wandb/*run-*/files/media/table/*.json")).read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["chosen"], row["image"], row["hit"], row["rank"], row["score"]) for row in rows] == [
        ("found last", "c", False, 3, 0.7),
        ("found last", "b", False, 2, 0.8),
        ("found last", "a", True, 1, 0.9),
    ]
    assert list(rows[0])[-6:] == ["query", *(f"nearest {place}" for place in range(1, 6))]


def test_the_data_set_version_is_there_by_its_facts_without_a_picture_or_a_path(run):
    found = read(run).artifacts["dataset-Schuhe-f-r-alle"]
    facts = {name: value for name, value in MANIFEST.items() if name != "source"}
    assert found == {"type": "dataset", "files": ["dataset.json"], "metadata": facts}
    assert json.loads((run / "wandb" / "dataset.json").read_text()) == facts


def test_the_chosen_weights_are_there_with_their_checksum(run):
    found = read(run).artifacts["model-try"]
    assert (found["type"], found["files"]) == ("model", ["best.ckpt"])
    assert found["metadata"] == {"checkpoint": METRICS["checkpoint"], "chosen": METRICS["chosen"]}


def test_nothing_is_told_of_who_trained_and_on_which_machine(run):
    from wandb.proto import wandb_internal_pb2 as proto

    file = mirror_file.newest(run)
    said = [proto.Record.FromString(data) for data in mirror_file.records(file.read_bytes(), "")]
    assert {(one.run.host, one.run.git.remote_url) for one in said} == {("", "")}
    kinds = {one.WhichOneof("record_type") for one in said}
    assert kinds == {"header", "run", "telemetry", "metric", "history", "summary", "artifact", "files", "exit"}
    assert {one.name for one in mirror_file.newest(run).parent.glob("files/*")} == {"media"}


def test_what_wandb_writes_lies_in_the_run_folder_alone(run, home):
    assert {one.relative_to(home).parts[0] for one in home.rglob("*") if one.is_file()} <= {".cache"}  # its own log
    assert {one.name for one in run.iterdir()} == {
        *("settings.yaml", "environment.json", "history.jsonl", "metrics.json", "per_query.parquet", "checkpoints"),
        "wandb",
    }


def test_figures_get_flat_names_by_hand():
    assert mirror.flat(METRICS["test"], "test") == {
        "test/recall@1": 0.5,
        "test/recall@1/low": 0.25,
        "test/recall@1/high": 0.625,
        "test/recall@1/queries": 3,
        "test/queries": 3,
    }
    assert mirror.flat({"chosen": {"value": 1, "by": "val"}}) == {"chosen/value": 1, "chosen/by": "val"}


def test_of_many_queries_half_are_those_found_last_and_half_are_drawn():
    ranks = [*range(1, 101)]
    many = pl.DataFrame({"image": [f"{rank:03d}" for rank in ranks], "rank": ranks, "score": [0.5] * 100})
    rows = mirror.chosen(many, 10)
    assert rows.filter(chosen="found last")["rank"].to_list() == [100, 99, 98, 97, 96]
    drawn = rows.filter(chosen="at random")["rank"]
    assert (len(drawn), drawn.max() <= 95, drawn.n_unique()) == (5, True, 5)
    assert mirror.chosen(many.sample(fraction=1, shuffle=True, seed=1), 10).equals(rows)


# A run that is stopped


STOPPED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_mirror as told
book = told.begin(Path(sys.argv[2]))
mirrored = told.mirror.ready(told.SETTINGS)
with mirrored.of(book.folder):
    told.log(book, mirrored, range(1, 26))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_was_killed_and_resumed_goes_on_at_wandb_and_has_each_line_once(tmp_path, offline):
    words = [sys.executable, "-c", STOPPED, str(Path(__file__).parent), str(tmp_path)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    book = record.reopen(record.unfinished(tmp_path, SETTINGS, "toy@abc"))
    first = mirror_file.newest(book.folder)
    book.rewind(20)
    mirrored = mirror.ready(SETTINGS)
    with mirrored.of(book.folder):
        log(book, mirrored, range(21, 41))
        finish(book, mirrored)
    ended()
    assert mirrored.why == ""
    assert mirror_file.newest(book.folder).name == first.name  # run-<id>.wandb
    assert mirror_file.newest(book.folder) != first
    assert [line["step"] for line in record.history_of(book.folder)] == [
        *range(1, 11),
        *range(10, 21),
        *range(20, 31),
        *range(30, 41),
        40,
    ]
    assert same(read(book.folder).history, record.history_of(book.folder))


def test_a_training_that_fails_is_a_failed_run(tmp_path, offline):
    book, mirrored = begin(tmp_path), mirror.ready(SETTINGS)
    with pytest.raises(ZeroDivisionError), mirrored.of(book.folder):
        log(book, mirrored, [1, 0])
    ended()
    assert read(book.folder).exit_code == 1


def test_two_runs_of_one_process_are_two(tmp_path, offline):
    for _ in range(2):
        book, mirrored = begin(tmp_path), mirror.ready(SETTINGS)
        with mirrored.of(book.folder):
            log(book, mirrored, [1, 2])
            finish(book, mirrored)
        ended()
        assert same(read(book.folder).history, record.history_of(book.folder))
    assert len({read(one).id for one in (tmp_path / "try").iterdir()}) == 2


def test_a_picture_that_cannot_be_shown_costs_the_pictures_and_not_the_curves(tmp_path, offline):
    book, mirrored = begin(tmp_path), mirror.ready(SETTINGS)
    with mirrored.of(book.folder):
        log(book, mirrored, range(1, 6))
        mirrored.finish(METRICS, QUERIES, MANIFEST, {}.__getitem__, twins)
    ended()
    assert "(KeyError: 'a'); the run folder has it all" in mirrored.why
    found = read(book.folder)
    assert same(found.history, record.history_of(book.folder))
    assert (found.summary["test/recall@1"], found.tables, found.exit_code) == (0.5, {}, 0)


BROKEN = """
import os, signal, subprocess, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_mirror as told
settings = replace(told.SETTINGS, tracking=sys.argv[3])
book, mirrored = told.begin(Path(sys.argv[2])), told.mirror.ready(settings)
with mirrored.of(book.folder):
    told.log(book, mirrored, range(1, 6))
    [core] = subprocess.run(["pgrep", "-P", str(os.getpid()), "wandb-core"], capture_output=True, text=True).stdout.split()
    os.kill(int(core), signal.SIGKILL)
    told.log(book, mirrored, range(6, 1001))
    told.finish(book, mirrored)
print(mirrored.why)
"""


@pytest.mark.parametrize("tracking", ["both", "wandb"])
def test_wandb_breaking_in_the_middle_ends_the_mirror_and_not_the_training(tmp_path, offline, tracking):
    words = [sys.executable, "-c", BROKEN, str(Path(__file__).parent), str(tmp_path), tracking]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("W&B does not show the whole of this run (Connection")
    [folder] = (tmp_path / "try").iterdir()
    assert len(record.history_of(folder)) == 1100
    assert record.metrics_of(folder) == METRICS


# Where W&B cannot be


def refused(said, tmp_path):
    """What `both` says and `wandb` stops with; and `both` trains all the same."""
    mirrored = mirror.ready(SETTINGS)
    assert mirrored.why.startswith("W&B will not show this run: ")
    book = begin(tmp_path)
    with mirrored.of(book.folder):
        log(book, mirrored, [1, 2])
        finish(book, mirrored)
    assert not (book.folder / "wandb").exists()
    assert record.metrics_of(book.folder) == METRICS
    with pytest.raises(LookalikeError, match=rf"tracking=wandb: {said}.*or train with tracking=local"):
        mirror.ready(replace(SETTINGS, tracking="wandb"))
    return mirrored.why


def test_without_wandb_a_run_is_the_same_run_or_no_run(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert "install it" in refused("wandb cannot be imported", tmp_path)


def test_a_folder_that_is_called_wandb_is_not_taken_for_the_package(tmp_path):
    (tmp_path / "wandb").mkdir()
    code = "from lookalike.tracking.mirror import ready; import test_mirror as told; print(ready(told.SETTINGS).why)"
    lookup = f"import sys; sys.path = [{str(tmp_path)!r}, *sys.path, {str(Path(__file__).parent)!r}]; "
    hidden = "import importlib.abc, importlib.machinery\n"
    hidden += "class Hide(importlib.abc.MetaPathFinder):\n"
    hidden += "    def find_spec(self, name, path=None, target=None):\n"
    hidden += f"        return importlib.machinery.PathFinder.find_spec(name, [{str(tmp_path)!r}]) if name == 'wandb' else None\n"
    hidden += "sys.meta_path.insert(0, Hide())\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{lookup}\n{hidden}\n{code}"], capture_output=True, text=True, check=True
    )
    assert "wandb cannot be imported" in done.stdout


def test_where_nobody_is_logged_in_a_run_is_the_same_run_or_no_run(tmp_path, unknown):
    said = "nobody is logged in at http.*; run `wandb login`, or set WANDB_MODE=offline"
    assert "WANDB_MODE=offline" in refused(said, tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WANDB_MODE", "disabled", "WANDB_MODE=disabled switches it off; unset it"),
        ("WANDB_MODE", "oflin", "wandb refuses its own settings .*oflin.*mend the WANDB_ variable"),
        ("WANDB_API_KEY", "short", "http.* cannot be logged in to .*WANDB_API_KEY invalid.*run `wandb login`"),
    ],
)
def test_a_wrong_variable_is_named_with_the_mend(tmp_path, unknown, name, value, said):
    unknown.setenv(name, value)
    refused(said, tmp_path)


@pytest.fixture
def server():
    """A server that knows nobody, and counts who asks."""

    class Knows(BaseHTTPRequestHandler):
        asked: list[str] = []  # noqa: RUF012

        def do_POST(self):
            self.asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_CONNECT = do_POST  # noqa: N815

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Knows) as one:
        thread = threading.Thread(target=one.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{one.server_port}", Knows.asked
        one.shutdown()
        thread.join()


def test_a_server_that_does_not_know_the_key_is_found_out_before_any_work(tmp_path, unknown, server):
    address, asked = server
    unknown.setenv("WANDB_BASE_URL", address)
    unknown.setenv("WANDB_API_KEY", KEY)
    assert KEY not in refused(f"{address} cannot be logged in to", tmp_path)
    assert asked


def test_offline_means_that_nobody_is_asked_anything(tmp_path, offline, monkeypatch, server):
    address, asked = server
    for name in ("WANDB_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, address)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    book, mirrored = begin(tmp_path), mirror.ready(SETTINGS)
    with mirrored.of(book.folder):
        log(book, mirrored, range(1, 11))
        finish(book, mirrored)
    ended()
    assert (mirrored.why, asked) == ("", [])


def test_a_local_run_knows_nothing_of_wandb(tmp_path):
    code = (
        "import sys; from pathlib import Path; import test_mirror as told\n"
        "settings = told.replace(told.SETTINGS, tracking='local')\n"
        f"book, mirrored = told.begin(Path({str(tmp_path)!r}), settings), told.mirror.ready(settings)\n"
        "with mirrored.of(book.folder):\n"
        "    told.log(book, mirrored, [1]); told.finish(book, mirrored)\n"
        "print(repr(mirrored.why), 'wandb' in sys.modules)"
    )
    words = [sys.executable, "-c", code]
    there = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    assert subprocess.run(words, env=there, check=True, capture_output=True, text=True).stdout == "'' False\n"


# The script that reads both


def compared(folder):
    words = [sys.executable, str(Path(__file__).parents[2] / "scripts" / "compare_wandb"), str(folder)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_script_finds_both_equal_and_says_what_is_there(run):
    code, said = compared(run)
    assert code == 0
    for what in ("3,300", "table queries", "3 x 12", "artifact dataset-Schuhe-f-r-alle", "artifact model-try"):
        assert what in said


def test_the_script_names_each_difference(run, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "try" / "other", symlinks=True))
    history = (other / "history.jsonl").read_text().replace('"train/loss": 1.0,', '"train/loss": 1.25,', 1)
    (other / "history.jsonl").write_text(history)
    metrics = record.metrics_of(other)
    metrics["test"]["recall@1"]["value"] = 0.51
    (other / "metrics.json").write_text(json.dumps(metrics))
    code, said = compared(other)
    assert code == 1
    assert "largest 0.25" in said
    assert "test/recall@1" in said
