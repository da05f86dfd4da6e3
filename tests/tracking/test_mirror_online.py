"""W&B online, by a server on loopback: the lines arrive, a resumed run repeats none, and a lost network harms nothing."""

import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lookalike.settings import Choice, Train
from lookalike.tracking import mirror, record

SETTINGS = Train(
    name="try",
    dataset="toy",
    backbone=Choice(name="efficientnet_lite0"),
    head=Choice(name="identity"),
    loss=Choice(name="contrastive"),
    augment=Choice(name="none"),
    tracking="wandb",
)


class Server(ThreadingHTTPServer):
    """The little of W&B's server that a run without artifacts needs. It keeps the lines of the history by their place."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Asked)
        self.lines: dict[int, str] = {}
        self.sent = 0  # lines, those that came twice included
        self.said = ""  # everything that it was told

    def answer(self, path, said):
        if path.endswith("/file_stream"):
            history = said.get("files", {}).get("wandb-history.jsonl", {"offset": 0, "content": []})
            self.sent += len(history["content"])
            self.lines |= dict(enumerate(history["content"], history["offset"]))
            return {"exitcode": None, "limits": {}}
        if said.get("operationName") not in ANSWERS:
            return {}
        return {"data": ANSWERS[said["operationName"]](self, said.get("variables"))}


class Asked(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(
            errors="replace"
        )  # wandb's own telemetry is binary
        self.server.said += body
        is_json = self.path == "/graphql" or self.path.endswith("/file_stream")
        reply = json.dumps(self.server.answer(self.path, json.loads(body)) if is_json else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_PUT = do_POST  # noqa: N815

    def log_message(self, *_):
        pass


def resumed(server, _):
    """What is there of the run already."""
    count = len(server.lines)
    told = {
        "id": "b",
        "name": "r",
        "displayName": "r",
        "notes": "",
        "tags": [],
        "logLineCount": 0,
        "eventsLineCount": 0,
    }
    told |= dict.fromkeys(("summaryMetrics", "config"), "{}") | {"wandbConfig": '{"t": 1}', "eventsTail": "[]"}
    told |= {"historyLineCount": count, "historyTail": json.dumps([server.lines[count - 1]] if count else [])}
    return {"model": {"id": "p", "name": "p", "entity": ENTITY, "bucket": told if count else None}}


def opened(server, said):
    project = {"id": "p", "name": "lookalike", "entity": ENTITY}
    bucket = {"id": "b", "name": said["name"], "displayName": "r", "config": "{}", "project": project}
    return {"upsertBucket": {"bucket": bucket, "inserted": not server.lines}}


def files(server, said):
    told = [{"name": name, "uploadUrl": f"http://127.0.0.1:{server.server_port}/{name}"} for name in said["files"]]
    return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": told}}


ENTITY = {"id": "e", "name": "team"}
ANSWERS = {
    "Viewer": lambda *_: {
        "viewer": {"id": "u", "username": "u", "entity": "team", "flags": "{}", "teams": {"edges": []}}
    },
    "RunResumeStatus": resumed,
    "UpsertBucket": opened,
    "CreateRunFiles": files,
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
def server(monkeypatch, tmp_path):
    import wandb

    one = Server()
    for name in [name for name in os.environ if name.startswith("WANDB_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{one.server_port}")
    yield one
    wandb.teardown()


def begin(runs):
    return record.start(runs, "try", SETTINGS, dataset="toy@abc", seed=0)


def log(book, mirrored, steps):
    for step in steps:
        for hand_on in (book.log, mirrored.log):
            hand_on({"train/loss": 1 / step, "lr/0": step / 7}, step, 0)


def shown(server):
    """The lines that the server has, without what W&B adds."""
    lines = [json.loads(server.lines[place]) for place in range(len(server.lines))]
    return [{name: value for name, value in line.items() if not name.startswith("_")} for line in lines]


def test_every_line_arrives_and_nothing_of_who_sent_it(tmp_path, server):
    with serving(server):
        book, mirrored = begin(tmp_path), mirror.ready(SETTINGS)
        with mirrored.of(book.folder):
            log(book, mirrored, range(1, 101))
    assert (mirrored.why, server.sent) == ("", 100)
    assert mirrored.where.endswith(f"/team/lookalike/runs/{(book.folder / 'wandb' / 'id').read_text().strip()}")
    assert shown(server) == record.history_of(book.folder)
    assert str(tmp_path) not in server.said  # no path: no user's name in it


def test_a_resumed_run_goes_on_where_the_server_stands_and_sends_no_line_twice(tmp_path, server):
    with serving(server):
        book, mirrored = begin(tmp_path), mirror.ready(SETTINGS)
        with pytest.raises(ZeroDivisionError), mirrored.of(book.folder):
            log(book, mirrored, [*range(1, 26), 0])
        assert len(server.lines) == 25
        again, mirrored = record.reopen(book.folder), mirror.ready(SETTINGS)
        again.rewind(20)
        with mirrored.of(again.folder):
            log(again, mirrored, range(21, 41))
    assert (mirrored.why, server.sent) == ("", 40)
    assert shown(server) == record.history_of(book.folder)
    assert len(shown(server)) == 40


def test_a_network_that_is_lost_in_the_middle_costs_a_short_wait_and_the_training_stands(tmp_path, server, monkeypatch):
    monkeypatch.setattr(mirror, "UPLOAD_SECONDS", 1)
    book = begin(tmp_path)
    with serving(server):
        mirrored = mirror.ready(SETTINGS)
        opened = mirrored.of(book.folder)
        opened.__enter__()
        log(book, mirrored, range(1, 11))
    log(book, mirrored, range(11, 101))
    opened.__exit__(None, None, None)
    assert mirrored.why.startswith("W&B does not show the whole of this run (TimeoutError")
    assert len(record.history_of(book.folder)) == 100
