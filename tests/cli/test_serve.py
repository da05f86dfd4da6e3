"""`lookalike serve`, as somebody uses it who ships: the real command on loopback, asked by HTTP, while releases come and go."""

import http.client
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lookalike.cli import serve
from lookalike.release.shelf import open_shelf
from lookalike.settings import Serve

ADMIN = "an-admins-own-key"
PATIENCE = 120.0  # seconds until a server answers, on a machine with other work


@contextmanager
def server(at, *words, **environment):
    """The command in a folder with releases, on a port of its own."""
    said = at / f"said-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "lookalike", "serve", "port=0", "look_every=0.1", *words]
    with said.open("w") as out:
        process = subprocess.Popen(command, cwd=at, stdout=out, stderr=out, env={**os.environ, **environment})
    try:
        yield SimpleNamespace(port=listening(process, said), process=process, said=said)
    finally:
        process.terminate()
        process.wait(30)


def listening(process, said):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if told := re.search(r"127\.0\.0\.1:(\d+)/", said.read_text()):
            try:
                if asked(int(told[1]), "GET", "/readyz").status == 200:
                    return int(told[1])
            except OSError:
                pass
        time.sleep(0.1)
    raise AssertionError(said.read_text())


def asked(port, method, path, body=None, **headers):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = line.getresponse()
    data = answer.read()
    told = json.loads(data) if "json" in answer.headers.get("content-type", "") else data
    line.close()
    return SimpleNamespace(status=answer.status, told=told, headers=answer.headers)


def searched(port, **question):
    return asked(port, "POST", "/v1/search", json.dumps(question), content_type="application/json")


def uploaded(port, picture, path="/v1/search", **fields):
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = "".join(parts).encode() + file.encode() + picture + b"\r\n--b--\r\n"
    return asked(port, "POST", path, body, content_type="multipart/form-data; boundary=b")


def photograph(exported, release, row=0):
    """The bytes of a picture of the catalog, and its product."""
    picture = open_shelf(release).pictures.row(row, named=True)
    images = exported.at / "data" / "images"
    return (images / picture["sha256"][:2] / picture["sha256"]).read_bytes(), picture["product"]


@pytest.fixture(scope="module")
def open_box(exported, indexed):
    """A server over the release that has a catalog, with an admin."""
    with server(exported.at, indexed[1].label, LOOKALIKE_ADMIN_KEY=ADMIN) as found:
        yield found


def test_a_picture_of_the_catalog_finds_its_product_first_by_every_door(open_box, exported, indexed):
    for row in (0, 7, 20):
        picture, product = photograph(exported, indexed[1], row)
        found = uploaded(open_box.port, picture, k=5)
        assert found.status == 200
        ids = [hit["id"] for hit in found.told["hits"]]
        assert ids[0] == product
        assert found.told["release"] == indexed[1].label
        assert found.told["hits"][0]["score"] == pytest.approx(1, abs=0.01)
        again = searched(open_box.port, query=found.told["query"], k=5)
        assert [hit["id"] for hit in again.told["hits"]] == ids
        older = uploaded(open_box.port, picture, "/predict/image?num_results=5")
        assert older.told == [ids]


def test_the_color_dial_turns_without_an_upload(open_box, exported, indexed):
    picture, _ = photograph(exported, indexed[1])
    query = uploaded(open_box.port, picture).told["query"]
    by = {weight: searched(open_box.port, query=query, color_weight=weight, k=20).told["hits"] for weight in (0, 1)}
    for weight, part in ((0, "shape"), (1, "color")):
        assert all(hit["score"] == pytest.approx(hit["parts"][part], abs=1e-4) for hit in by[weight])
    assert [hit["id"] for hit in by[0]] != [hit["id"] for hit in by[1]]


def test_a_crop_is_what_the_network_sees(open_box):
    pixels = np.full((120, 240, 3), 255, np.uint8)
    pixels[20:100, 20:100], pixels[10:110, 140:220] = (200, 30, 40), (20, 60, 190)
    held, half = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    Image.fromarray(pixels[:, :120]).save(half, "PNG")
    cut, whole = uploaded(open_box.port, held.getvalue(), crop="0,0,0.5,1"), uploaded(open_box.port, half.getvalue())
    assert [hit["score"] for hit in cut.told["hits"]] == [hit["score"] for hit in whole.told["hits"]]
    assert cut.told["crop"] == [0, 0, 0.5, 1]
    left, top, right, bottom = whole.told["proposal"]
    assert (left, top, right, bottom) == pytest.approx((20 / 120, 20 / 120, 100 / 120, 100 / 120), abs=0.06)


def test_no_torch_is_loaded_and_the_vectors_are_mapped_not_read(open_box, indexed):
    maps = Path(f"/proc/{open_box.process.pid}/maps").read_text()
    assert "libtorch" not in maps
    assert "/scipy/" not in maps
    assert "shape.npy" in maps


def test_a_promotion_takes_over_and_a_rollback_brings_back(lookalike, exported, indexed, into):
    at, first = exported.at, indexed[1].label
    second = into("small", "split=test", "thumbnail=32")[1].label
    assert second != first
    registry = {"champion": first, "previous": second, "candidate": None, "log": []}
    (at / "releases" / "registry.json").write_text(json.dumps(registry))
    with server(at, "champion", LOOKALIKE_ADMIN_KEY=ADMIN) as box:
        assert asked(box.port, "GET", "/v1/version").told["release"] == first
        lookalike("rollback", at=at)
        wait_until(box.port, lambda told: told["release"] == second)
        assert asked(box.port, "POST", "/v1/admin/rollback").status == 401
        back = asked(box.port, "POST", "/v1/admin/rollback", X_API_Key=ADMIN)
        assert (back.status, back.told["release"]) == (200, first)
        assert json.loads((at / "releases" / "registry.json").read_text())["champion"] == first


def test_a_champion_under_anothers_name_is_refused_and_the_old_one_stays(exported, indexed):
    at, label = exported.at, indexed[1].label
    broken = f"small/{'0' * 12}"
    shutil.copytree(at / "releases" / label, at / "releases" / broken)
    registry = {"champion": label, "previous": None, "candidate": None, "log": []}
    path = at / "releases" / "registry.json"
    path.write_text(json.dumps(registry))
    with server(at) as box:
        path.write_text(json.dumps({**registry, "champion": broken}))
        told = wait_until(box.port, lambda told: told["refused"])
        assert told["release"] == label
        assert told["refused"]["release"] == broken
        assert "the server's log tells why" in told["refused"]["why"]
        assert "put it back under that name" in box.said.read_text()
        picture, product = photograph(exported, indexed[1])
        assert uploaded(box.port, picture).told["hits"][0]["id"] == product
    shutil.rmtree(at / "releases" / broken)


def wait_until(port, holds):
    until = time.monotonic() + PATIENCE
    while not holds(told := asked(port, "GET", "/v1/version").told):
        assert time.monotonic() < until, told
        time.sleep(0.05)
    return told


def test_several_processes_answer_alike_count_together_and_reload_together(exported, indexed):
    with server(exported.at, indexed[1].label, "workers=2", LOOKALIKE_ADMIN_KEY=ADMIN) as box:
        picture, product = photograph(exported, indexed[1])
        for _ in range(12):
            assert uploaded(box.port, picture).told["hits"][0]["id"] == product
        metrics = asked(box.port, "GET", "/metrics").told.decode()
        counted = re.findall(r'lookalike_requests_total{[^}]*route="/v1/search"[^}]*} (\S+)', metrics)
        assert sum(map(float, counted)) == 12
        assert "lookalike_release" in metrics
        wait_until_swapped(box.port, 2)
        assert asked(box.port, "POST", "/v1/admin/reload", X_API_Key=ADMIN).status == 200
        wait_until_swapped(box.port, 4)


def wait_until_swapped(port, times):
    """By all processes together."""
    until = time.monotonic() + PATIENCE
    while f"lookalike_swaps_total {times}.0" not in (told := asked(port, "GET", "/metrics").told.decode()):
        assert time.monotonic() < until, told
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("words", "environment", "code", "says"),
    [
        (["nobody"], {}, 3, "release=nobody: no such release"),
        (["small", "port=70000"], {}, 2, "port: must be 65535 or less"),
        (["small", "host=192.0.2.1"], {}, 4, "cannot listen on 192.0.2.1"),
        (["small"], {"LOOKALIKE_KEY": "short"}, 2, "LOOKALIKE_KEY: a key of fewer than 16 signs can be guessed"),
    ],
)
def test_what_cannot_be_served_is_told_before_anybody_asks(
    lookalike, exported, indexed, monkeypatch, words, environment, code, says
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    said = " ".join(
        lookalike(
            "serve", *([indexed[1].label] if words[0] == "small" else words[:1]), *words[1:], at=exported.at, code=code
        ).split()
    )
    assert says in said


def test_a_release_without_a_catalog_is_refused_with_the_mend(lookalike, exported):
    assert "lookalike index" in lookalike("serve", exported.release.label, at=exported.at, code=3)


def test_pictures_by_address_are_fetched_from_the_named_hosts_alone():
    assert serve._fetcher(Serve()) is None
    fetch = serve._fetcher(Serve(image_hosts=["shop.example"]))
    for address in (
        "http://169.254.169.254/latest",
        "http://127.0.0.1:8080/",
        "file:///etc/passwd",
        "http://other.example/a.jpg",
    ):
        with pytest.raises(ValueError, match=r"."):
            fetch(address)
