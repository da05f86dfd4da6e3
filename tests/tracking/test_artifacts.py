"""A promoted release at W&B, by a server on loopback: what it is told, where the aliases stand, and what breaks nothing."""

import json
import os
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lookalike import files
from lookalike.settings import LookalikeError, Paths, Promote, Wandb
from lookalike.tracking import artifacts, mirror

ENTITY = {"id": "e", "name": "team"}
PROJECT = {"__typename": "Project", "id": "p", "internalId": "p", "name": "shoes", "entity": ENTITY}


SENT = ("card.md", "golden/00.jpg", "metrics.json", "model/float32.onnx")
KEPT = ("settings.yaml", "per_query.parquet", "index/thumbnails.bin", "phone/products.json", "another.txt")


class Server(ThreadingHTTPServer):
    """The little of W&B's server that an artifact needs: versions by their digest, and aliases that have one place."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Asked)
        self.versions: list[dict] = []
        self.aliases: dict[str, str] = {}  # to the id of a version
        self.runs: list[dict] = []  # as they were opened
        self.sent: list[str] = []  # files
        self.said = ""  # everything that it was told
        self.refuses = False

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server_port}"

    def labels(self):
        """NAME/ID by alias."""
        told = {one["id"]: json.loads(one["metadata"]) for one in self.versions}
        return {alias: f"{told[at]['name']}/{told[at]['id']}" for alias, at in self.aliases.items()}

    def answer(self, said):
        name = said.get("operationName") or re.search(r"(?:query|mutation) (\w+)", said["query"])[1]
        if self.refuses and name == "CreateArtifact":
            return {"errors": [{"message": "the quota is spent"}]}
        return {"data": ANSWERS[name](self, said.get("variables"))} if name in ANSWERS else {}


class Asked(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
        self.server.said += body
        if self.path.startswith("/file/"):
            self.server.sent.append(self.path.removeprefix("/file/"))
        reply = json.dumps(self.server.answer(json.loads(body)) if self.path == "/graphql" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_PUT = do_POST  # noqa: N815

    def log_message(self, *_):
        pass


def opened(server, said):
    if said["displayName"] or said["jobType"] or not any(one["name"] == said["name"] for one in server.runs):
        server.runs.append(said)
    bucket = {"id": "b", "name": said["name"], "displayName": "r", "config": "{}", "project": PROJECT}
    return {"upsertBucket": {"bucket": bucket, "inserted": True}}


def run_files(server, said):
    told = [{"name": name, "uploadUrl": f"{server.base}/run/{name}"} for name in said["files"]]
    return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": told}}


def created(server, said):
    told = said["input"]
    found = next((one for one in server.versions if one["digest"] == told["digest"]), None)
    if not found:
        found = {**told, "id": f"a{len(server.versions)}", "state": "PENDING"}
        server.versions.append(found)
    server.aliases |= {one["alias"]: found["id"] for one in told["aliases"]}
    sequence = {"id": "s", "latestArtifact": None}
    return {"createArtifact": {"artifact": {"id": found["id"], "state": found["state"], "artifactSequence": sequence}}}


def manifest(server, said):
    told = {"id": "m", "file": {"id": "f", "uploadUrl": f"{server.base}/manifest", "uploadHeaders": []}}
    return {"createArtifactManifest": {"artifactManifest": told}}


def to_upload(server, said):
    def node(one):
        where = {"storagePath": one["name"], "uploadUrl": f"{server.base}/file/{one['name']}", "uploadHeaders": []}
        more = {"uploadMultipartUrls": None, "artifact": {"id": one["artifactID"]}}
        return {"id": one["name"], "name": one["name"], "displayName": one["name"]} | where | more

    edges = [{"node": node(one)} for one in said["input"]["artifactFiles"]]
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def committed(server, said):
    (one,) = (one for one in server.versions if one["id"] == said["artifactID"])
    one["state"] = "COMMITTED"
    return {"commitArtifact": {"artifact": {"id": one["id"], "digest": one["digest"]}}}


def told_of(server, said):
    (one,) = (one for one in server.versions if one["id"] == said["id"])
    collection = {"__typename": "ArtifactSequence", "name": one["artifactCollectionName"], "project": PROJECT}
    aliases = [
        {"__typename": "ArtifactAlias", "id": alias, "alias": alias, "artifactCollection": collection}
        for alias, at in server.aliases.items()
        if at == one["id"]
    ]
    fixed = {"__typename": "Artifact", "artifactSequence": collection, "artifactType": {"name": "release"}}
    blank = dict.fromkeys(("description", "historyStep", "commitHash", "updatedAt"))
    more = {
        "ttlDurationSeconds": -2,
        "ttlIsInherited": True,
        "tags": [],
        "size": 1,
        "fileCount": 1,
        "createdAt": "2026-11-20T10:15:00Z",
    }
    known = {name: one[name] for name in ("id", "digest", "state", "metadata")}
    return {"artifact": fixed | blank | more | known | {"versionIndex": int(one["id"][1:]), "aliases": aliases}}


ANSWERS = {
    "Viewer": lambda *_: {
        "viewer": {"id": "u", "username": "u", "entity": "team", "flags": "{}", "teams": {"edges": []}}
    },
    "RunResumeStatus": lambda *_: {"model": {"id": "p", "name": "p", "entity": ENTITY, "bucket": None}},
    "UpsertBucket": opened,
    "CreateRunFiles": run_files,
    "ArtifactType": lambda *_: {"project": {"artifact": None}},
    "CreateArtifact": created,
    "CreateArtifactManifest": manifest,
    "CreateArtifactFiles": to_upload,
    "CommitArtifact": committed,
    "ArtifactByID": told_of,
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


def surroundings(patch, home, **said):
    """The environment of somebody whom W&B does not know."""
    for name in [one for one in os.environ if one.startswith("WANDB_") or one.lower().endswith("_proxy")]:
        patch.delenv(name)
    for name, value in {"HOME": str(home), "NETRC": str(home / "netrc"), **said}.items():
        patch.setenv(name, value)


@pytest.fixture
def server(monkeypatch, tmp_path):
    import wandb

    one = Server()
    surroundings(monkeypatch, tmp_path / "home", WANDB_API_KEY="k" * 40, WANDB_BASE_URL=one.base)
    with serving(one):
        yield one
        wandb.teardown()


@pytest.fixture
def said(tmp_path):
    """The settings of a promotion."""
    paths = Paths(runs=str(tmp_path / "runs"), releases=str(tmp_path / "releases"))
    return Promote(release="boots", tracking="both", wandb=Wandb(project="shoes"), paths=paths)


@pytest.fixture
def release(tmp_path):
    """A whole release's folder: `release("boots", "0123456789ab", run="gray/1")`."""

    def made(name, identity, run="gray/1"):
        folder = tmp_path / "releases" / name / identity
        for file in SENT + KEPT:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(f"{file} of {identity}")
        files.seal(folder, {"kind": "lookalike release", "name": name, "id": identity, "run": run})
        return folder

    return made


def mirrored(tmp_path, run, identity):
    files.write_text(tmp_path / "runs" / run / "wandb" / "id", f"{identity}\n")


def shown(release, said):
    told = artifacts.shown({"champion": release("boots", "0123456789ab")}, said)
    assert told == "At W&B: champion team/shoes/releases:v0"


def test_the_aliases_stand_where_the_pointers_do_and_move_as_they_do(tmp_path, server, said, release):
    first, second = release("boots", "0123456789ab"), release("bags", "ba9876543210")
    told = artifacts.shown({"champion": first}, said)
    assert told == "At W&B: champion team/shoes/releases:v0"
    assert server.labels()["champion"] == server.labels()["boots-0123456789ab"] == "boots/0123456789ab"
    sent = list(server.sent)
    told = artifacts.shown({"previous": first, "champion": second}, said)
    assert told == "At W&B: previous team/shoes/releases:v0, champion team/shoes/releases:v1"
    assert {name: server.labels()[name] for name in ("champion", "previous")} == {
        "champion": "bags/ba9876543210",
        "previous": "boots/0123456789ab",
    }
    assert len(server.versions) == 2  # the first was there already...
    assert sorted(server.sent) == sorted(2 * sent)  # ... and only the second was sent


def test_a_release_is_an_output_of_the_run_that_learnt_it(tmp_path, server, said, release):
    mirrored(tmp_path, "gray/1", "abcd1234")
    shown(release, said)
    assert {one["runName"] for one in server.versions} == {one["name"] for one in server.runs} == {"abcd1234"}
    assert {one["jobType"] for one in server.runs} == {None}


def test_of_a_run_that_was_not_mirrored_a_release_is_a_promotions_own(server, said, release):
    shown(release, said)
    (run,) = (one for one in server.runs if one["jobType"])
    assert (run["displayName"], run["jobType"]) == ("promote/boots/0123456789ab", "promote")
    assert server.versions[0]["runName"] == run["name"]


@pytest.mark.parametrize("run", ["../elsewhere/1", "{at}/elsewhere/1"])
def test_a_release_that_says_a_run_lies_elsewhere_is_a_promotions_own(tmp_path, server, said, release, run):
    files.write_text(tmp_path / "elsewhere" / "1" / "wandb" / "id", "abcd1234\n")
    (tmp_path / "runs").mkdir()
    artifacts.shown({"champion": release("boots", "0123456789ab", run=run.format(at=tmp_path))}, said)
    assert [one["jobType"] for one in server.runs if one["jobType"]] == ["promote"]


def test_no_photograph_and_no_path_is_sent(tmp_path, server, said, release):
    shown(release, said)
    assert sorted(server.sent) == sorted(SENT)
    assert json.loads(server.versions[0]["metadata"]) == {
        "kind": "lookalike release",
        "name": "boots",
        "id": "0123456789ab",
        "run": "gray/1",
    }
    assert str(tmp_path) not in server.said
    assert str(Path(__file__).parent) not in server.said
    assert "site-packages" not in server.said


def test_a_server_that_takes_nothing_is_told_and_nothing_else_happens(server, said, release):
    server.refuses = True
    told = artifacts.shown({"champion": release("boots", "0123456789ab")}, said)
    assert told.startswith("W&B did not take the release (")
    assert told.endswith("; the registry has it all")
    assert server.versions == []


@pytest.mark.parametrize(
    ("surrounding", "why"),
    [
        ({"WANDB_MODE": "offline"}, "it is offline, and champion and previous are aliases, which need a login"),
        ({"WANDB_MODE": "disabled"}, "WANDB_MODE=disabled switches it off"),
        ({"WANDB_BASE_URL": "http://127.0.0.1:9"}, "nobody is logged in"),
    ],
    ids=["offline", "disabled", "unknown"],
)
def test_where_wandb_cannot_show_it_both_says_why_and_wandb_begins_nothing(
    tmp_path, monkeypatch, said, release, surrounding, why
):
    import wandb

    surroundings(monkeypatch, tmp_path / "home", **surrounding)
    must = Promote(release="boots", tracking="wandb")
    artifacts.check(said)
    with pytest.raises(LookalikeError, match=rf"tracking=wandb: .*{re.escape(why)}.*tracking=local"):
        artifacts.check(must)
    folder = release("boots", "0123456789ab")
    before = sorted(tmp_path.rglob("*"))
    assert re.match(f"W&B will not show this release: .*{re.escape(why)}", artifacts.shown({"champion": folder}, said))
    assert sorted(tmp_path.rglob("*")) == before
    assert mirror.STAGING not in os.environ
    wandb.teardown()
