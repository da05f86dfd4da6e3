"""A comparison at W&B: what is saved offline names what a mirrored run really holds, and what is sent online is just that."""

import json
import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

from lookalike import files
from lookalike.reporting import leaderboard
from lookalike.retrieval.comparison import Entry, compare
from lookalike.settings import Choice, Compare, LookalikeError, Train, Wandb
from lookalike.tracking import mirror, mirror_file, record, workspace

LEARNT = Train(
    dataset="toy",
    backbone=Choice(name="efficientnet_lite0"),
    head=Choice(name="identity"),
    loss=Choice(name="contrastive"),
    augment=Choice(name="none"),
    tracking="both",
    wandb=Wandb(project="shoes"),
)
COSTS = {"training_minutes": 1.5, "threads": 2, "milliseconds_per_image": 4.0, "megabytes": 13.0}
MANIFEST = {"name": "toy", "version": "abc"}
PROTOCOL = {"match": "product", "left_out": "picture", "split_rule": "auto", "split": "test"}


def metrics(value):
    figure = {"value": value, "ci95": [value / 2, value], "queries": 8}
    return {
        "protocol": PROTOCOL,
        "val": {"map@r": figure},
        "test": {"recall@1": figure, "queries": 8},
        "cost": COSTS,
    }


def queries(hits):
    images = [f"{number}#0" for number in range(8)]
    columns = {
        "image": images,
        "product": [str(number // 2) for number in range(8)],
        "rank": [1] * 8,
        "score": [0.5] * 8,
    }
    told = {"nearest": [[] for _ in images], "recall@1": [float(number < hits) for number in range(8)]}
    return pl.DataFrame(columns | told)


def learn(runs, name, seed, hits, *, is_mirrored):
    """A run's folder as a training leaves it, mirrored as it does."""
    settings = replace(LEARNT, name=name, seed=seed, tracking="both" if is_mirrored else "local")
    book = record.start(runs, name, settings, dataset="toy@abc", seed=seed)
    mirrored = mirror.ready(settings)
    with mirrored.of(book.folder):
        for step in range(1, 4):
            line = {"train/loss": 1 / step, **({"val/map@r": 0.5} if step == 3 else {})}
            book.log(line, step, 0)
            mirrored.log(line, step, 0)
        book.finish(metrics(hits / 8), queries(hits))
        mirrored.finish(metrics(hits / 8), queries(hits).head(0), MANIFEST, None, None)
    assert not mirrored.why
    return book.folder


def entry(name, folders):
    tables = tuple(pl.read_parquet(one / "per_query.parquet") for one in folders)
    return Entry(
        name=name,
        label=f"{name} = best + 1",
        tables=tables,
        seeds=tuple(range(len(folders))),
        dataset="toy@abc",
        protocol=PROTOCOL,
        cost=COSTS | {"dimensions": None},
        learns=True,
    )


def compared(folder, runs):
    """A comparison, and its folder as `lookalike compare` leaves it. runs: the folders of each entry."""
    found = compare([entry(name, folders) for name, folders in runs.items()])
    files.write_text(folder / "leaderboard.md", leaderboard.markdown(found))
    told = leaderboard.told(found, {name: [str(one) for one in folders] for name, folders in runs.items()})
    files.write_json(folder / "comparison.json", told)
    return found


def surroundings(patch, home, **said):
    """The environment of somebody whom W&B does not know."""
    for name in [one for one in os.environ if one.startswith("WANDB_") or one.lower().endswith("_proxy")]:
        patch.delenv(name)
    for name, value in {"HOME": str(home), "NETRC": str(home / "netrc"), **said}.items():
        patch.setenv(name, value)


def ended():
    import wandb

    wandb.teardown()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of one entry and one of another, mirrored offline; and one that was not."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        surroundings(patch, home, WANDB_MODE="offline")
        patch.chdir(home)
        ended()  # what W&B read of another test's surroundings
        at = tmp_path_factory.mktemp("runs")
        told = {
            "gray": [learn(at, "gray", 0, 6, is_mirrored=True), learn(at, "gray", 1, 7, is_mirrored=True)],
            "rgb": [learn(at, "rgb", 0, 3, is_mirrored=True)],
            "elsewhere": [learn(at, "elsewhere", 0, 2, is_mirrored=False)],
        }
        ended()
    return told


@pytest.fixture
def offline(monkeypatch, tmp_path):
    surroundings(monkeypatch, tmp_path / "home", WANDB_MODE="offline")
    yield
    ended()


SETTINGS = Compare(runs=["gray", "rgb"], tracking="both", wandb=Wandb(project="shoes"))


def only(runs, *names):
    return {name: runs[name] for name in names}


def saved(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def panels_of(folder):
    """Of the Workspace, and of the Report's only grid."""
    sections = saved(folder, "workspace")["spec"]["section"]["panelBankConfig"]["sections"]
    grid = grid_of(folder)["panelBankSectionConfig"]["panels"]
    return [panel for section in sections for panel in section["panels"]], grid


def grid_of(folder):
    return next(one for one in saved(folder, "report")["spec"]["blocks"] if one["type"] == "panel-grid")["metadata"]


def filtered(run_set):
    """The ids that a set of runs is narrowed to."""
    (only_one,) = run_set["filters"]["filters"]
    assert (only_one["key"], only_one["op"]) == ({"section": "run", "name": "name"}, "IN")
    return set(only_one["value"])


def named(panel):
    """The names of the summary, of the history and of the config that a panel asks for."""
    told = panel["config"]
    axes = [told.get("xAxis"), told.get("yAxis"), *(one["accessor"] for one in told.get("columns", []))]
    names = [*told.get("metrics", []), *filter(None, axes)]
    return [*names, *(["config:" + told["groupBy"]] if "groupBy" in told else [])]


def is_held(name, run):
    """Whether a mirrored run holds what a panel names."""
    where, _, inside = name.partition(":")
    if where == "summary":
        return inside in run.summary
    if where == "config":
        return inside.removesuffix(".value") in run.config
    return name in run.summary or any(name in line for line in run.history)


def test_what_is_saved_offline_names_runs_and_figures_that_the_mirrored_runs_really_hold(tmp_path, runs, offline):
    chosen = only(runs, "gray", "rgb")
    said = workspace.shown(compared(tmp_path, chosen), SETTINGS, tmp_path)
    held = [mirror_file.read(mirror_file.newest(one)) for each in chosen.values() for one in each]
    section = saved(tmp_path, "workspace")["spec"]["section"]
    assert filtered(section["runSets"][0]) == filtered(grid_of(tmp_path)["runSets"][0]) == {run.id for run in held}
    assert {run.project for run in held} == {saved(tmp_path, "workspace")["project"]}
    shown = [name for panels in panels_of(tmp_path) for panel in panels for name in named(panel)]
    assert {"val/map@r", "train/loss", "test/recall@1", "step", "summary:cost/milliseconds_per_image"} <= set(shown)
    assert [name for name in shown for run in held if not is_held(name, run)] == []
    columns = section["runSets"][0]["runFeed"]["columnOrder"]
    assert [name for name in columns[1:] for run in held if not is_held(name, run)] == []
    assert said.startswith(f"W&B is offline. What it would show is in {tmp_path / 'report.json'} and ")


def test_the_seeds_of_an_entry_are_drawn_as_one_curve_with_a_band(tmp_path, runs, offline):
    workspace.shown(compared(tmp_path, only(runs, "gray", "rgb")), SETTINGS, tmp_path)
    for panels in panels_of(tmp_path):
        curves = [panel["config"] for panel in panels if panel["viewType"] == "Run History Line Plot"]
        told = [(one["metrics"], one["groupBy"], one["groupAgg"], one["groupArea"]) for one in curves]
        assert told == [([name], "name.value", "mean", "minmax") for name in ("val/map@r", "train/loss")]


def test_two_entries_that_share_a_run_name_are_not_drawn_as_one(tmp_path, runs, offline):
    first, second = runs["gray"]
    workspace.shown(compared(tmp_path, {"gray/first": [first], "gray/second": [second]}), SETTINGS, tmp_path)
    assert all("groupBy" not in panel["config"] for panels in panels_of(tmp_path) for panel in panels)
    assert grid_of(tmp_path)["runSets"][0]["grouping"] == []


def test_the_report_says_the_verdict_and_the_leaderboard_and_how_it_was_measured(tmp_path, runs, offline):
    found = compared(tmp_path, only(runs, "gray", "rgb"))
    workspace.shown(found, SETTINGS, tmp_path)
    blocks = saved(tmp_path, "report")["spec"]["blocks"]
    words, measured = [one["content"] for one in blocks if one["type"] == "markdown-block"]
    assert words == leaderboard.markdown(found)
    assert "- data set: toy@abc\n- queries: 8\n- figure: recall@1\n- match: product" in measured


def test_a_closed_form_has_no_curve_of_a_loss_and_no_panel_asks_for_one(tmp_path, runs, offline):
    (tmp_path / "runs" / "wandb").mkdir(parents=True)
    for file in ("settings.yaml", "per_query.parquet", "wandb/id"):
        (tmp_path / "runs" / file).write_bytes((runs["rgb"][0] / file).read_bytes())
    (tmp_path / "runs" / "history.jsonl").write_text('{"step": 0, "epoch": 0, "val/map@r": 0.5}\n')
    workspace.shown(compared(tmp_path, {"closed": [tmp_path / "runs"]}), SETTINGS, tmp_path)
    for panels in panels_of(tmp_path):
        assert [panel["config"]["metrics"] for panel in panels if "History" in panel["viewType"]] == [["val/map@r"]]


def test_a_run_that_was_not_mirrored_is_told_and_no_panel_asks_for_it(tmp_path, runs, offline):
    said = workspace.shown(compared(tmp_path, only(runs, "gray", "elsewhere")), SETTINGS, tmp_path)
    assert "1 of its 3 runs are missing from W&B's project 'shoes'" in said
    assert len(filtered(saved(tmp_path, "workspace")["spec"]["section"]["runSets"][0])) == 2


def test_runs_that_lie_in_another_project_leave_the_table_alone(tmp_path, runs, offline):
    settings = replace(SETTINGS, wandb=Wandb(project="boots"))
    said = workspace.shown(compared(tmp_path, only(runs, "gray", "rgb")), settings, tmp_path)
    assert "All its runs are missing from W&B's project 'boots'" in said
    assert not (tmp_path / "workspace.json").exists()
    assert "panel-grid" not in {one["type"] for one in saved(tmp_path, "report")["spec"]["blocks"]}


def test_who_asks_for_nothing_gets_nothing(tmp_path, runs):
    found = compared(tmp_path, only(runs, "gray"))
    assert workspace.shown(found, replace(SETTINGS, tracking="local"), tmp_path) == ""
    assert not (tmp_path / "report.json").exists()


@pytest.fixture
def unknown(monkeypatch, tmp_path):
    """Nobody is logged in, and nobody answers."""
    surroundings(monkeypatch, tmp_path / "home", WANDB_BASE_URL="http://127.0.0.1:9")
    yield
    ended()


def test_without_a_login_both_saves_and_says_why_and_wandb_refuses(tmp_path, runs, unknown):
    found = compared(tmp_path, only(runs, "gray", "rgb"))
    with pytest.raises(LookalikeError, match=r"tracking=wandb: .*wandb login.*tracking=local"):
        workspace.shown(found, replace(SETTINGS, tracking="wandb"), tmp_path)
    assert not (tmp_path / "report.json").exists()
    said = workspace.shown(found, SETTINGS, tmp_path)
    assert said.startswith("W&B will not show this comparison: ")
    assert saved(tmp_path, "report")["project"]["name"] == "shoes"


class Server(ThreadingHTTPServer):
    """The little of W&B's server that saving takes. It keeps what it is asked to save."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Asked)
        self.views, self.refuses = [], False

    def answer(self, name, said):
        if name not in ANSWERS:
            return {}
        return {"data": ANSWERS[name](self, said)}


class Asked(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = json.loads(body) if self.path == "/graphql" else {}
        reply = self.server.answer(told.get("operationName") or operation(told.get("query", "")), told.get("variables"))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_):
        pass


def operation(query):
    """The name of a query that came without one."""
    return next((word.split("(")[0] for word in query.split() if word.split("(")[0] in ANSWERS), "")


def kept(server, said):
    if server.refuses:
        return {"upsertView": None}
    server.views.append(said)
    view = {"id": f"view{len(server.views)}", "name": said["name"], "displayName": said["displayName"]}
    project = {"id": "p", "name": said["projectName"], "entityName": said["entityName"]}
    more = {"type": said["type"], "description": "", "project": project, "spec": said["spec"]}
    return {"upsertView": {"view": view | more | {"updatedAt": None}, "inserted": True}}


VIEWER = {"id": "u", "username": "u", "entity": "team", "flags": "{}", "teams": {"edges": []}}
PAGE = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
ANSWERS = {
    "Viewer": lambda *_: {"viewer": VIEWER},
    "GetDefaultEntity": lambda *_: {"viewer": VIEWER},
    "GetProjects": lambda *_: {"models": {"pageInfo": PAGE, "edges": []}},
    "CreateProject": lambda *_: {"result": {"project": None, "model": None, "inserted": True}},
    "upsertView": kept,
    "UpsertView2": kept,
}


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def online(monkeypatch, tmp_path):
    server = Server()
    at = f"http://127.0.0.1:{server.server_port}"
    surroundings(monkeypatch, tmp_path / "home", WANDB_API_KEY="k" * 40, WANDB_BASE_URL=at)
    with serving(server):
        yield server
        ended()


def without_ids(told):
    """A specification without the names that are drawn anew each time it is built."""
    if isinstance(told, list):
        return [without_ids(one) for one in told]
    if isinstance(told, dict):
        return {name: without_ids(one) for name, one in told.items() if name not in ("id", "__id__")}
    return told


def test_online_both_are_created_as_they_were_saved_and_their_addresses_told(tmp_path, runs, online, capfd):
    said = workspace.shown(compared(tmp_path, only(runs, "gray", "rgb")), SETTINGS, tmp_path)
    report, view = online.views
    assert (report["type"], view["type"]) == ("runs", "project-view")
    assert {(one["entityName"], one["projectName"]) for one in online.views} == {("team", "shoes")}
    for name, one in {"report": report, "workspace": view}.items():
        assert without_ids(json.loads(one["spec"])) == without_ids(saved(tmp_path, name)["spec"])
    base = f"http://127.0.0.1:{online.server_port}/team/shoes"
    assert said.startswith(f"At W&B: report {base}/reports/")
    assert f"workspace {base}?nw=" in said
    assert capfd.readouterr() == ("", "")


def test_a_server_that_takes_nothing_is_told_and_harms_nothing(tmp_path, runs, online):
    online.refuses = True
    found = compared(tmp_path, only(runs, "gray", "rgb"))
    assert workspace.shown(found, SETTINGS, tmp_path).startswith("W&B did not take the comparison (")
    with pytest.raises(LookalikeError, match="tracking=wandb: W&B did not take the comparison"):
        workspace.shown(found, replace(SETTINGS, tracking="wandb"), tmp_path)
