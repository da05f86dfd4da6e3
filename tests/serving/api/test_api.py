"""The HTTP of the search box, over a real server: every answer and every error in its one shape."""

import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lookalike.catalog.addresses import FetchError
from lookalike.serving import forms
from lookalike.serving.watch import Counter
from lookalike.settings import DataError

KEY = "drawn:wide/red"
PAIRS = "/v1/products/drawn:wide%2Fred"


def problem(answer, status):
    """What an error says, if it is one of that status in the one shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert set(told) - {"errors"} == {"type", "title", "status", "detail", "request"}
    assert (told["type"], told["status"]) == ("about:blank", status)
    assert told["title"]
    assert told["request"]
    assert "Traceback" not in answer.text
    assert "\n" not in told["detail"]
    return told


def upload(data, name="a.png"):
    return {"file": (name, data)}


def test_an_upload_finds_its_product(client, picture, box):
    answer = client.post("/v1/search", files=upload(picture("wide", "red")), data={"k": "4", "color": ["red", "blue"]})
    assert answer.status_code == 200
    told = answer.json()
    assert told["hits"][0]["id"] == KEY
    assert len(told["hits"]) == 4
    assert {hit["color"] for hit in told["hits"]} <= {"red", "blue"}
    assert told["release"] == box.label
    assert set(told["milliseconds"]) == {"decode", "embed", "search", "all"}
    assert told["proposal"] is not None


def test_the_page_turns_the_dial_by_query_alone(client, picture):
    first = client.post("/v1/search", files=upload(picture("wide", "red"))).json()
    turned = client.post("/v1/search", json={"query": first["query"], "color_weight": 1, "k": 3}).json()
    assert {hit["color"] for hit in turned["hits"]} == {"red"}
    assert turned["query"] == first["query"]


def test_a_crop_comes_in_a_form_as_one_text(client, picture):
    told = client.post("/v1/search", files=upload(picture("small", "red")), data={"crop": "0.3,0.3,0.7,0.7"}).json()
    assert (told["crop"], told["proposal"]) == ([0.3, 0.3, 0.7, 0.7], None)


def test_all_that_an_answer_names_is_there(client):
    told = client.post("/v1/search", json={"product": KEY}).json()
    for hit in told["hits"]:
        picture = client.get(hit["picture"])
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.content.startswith(b"\xff\xd8\xff")
        assert client.get(f"/v1/products/{hit['id']}").json()["product"]["name"] == hit["name"]


def test_a_product_is_found_whether_or_not_its_slashes_are_escaped(client):
    plain, escaped = client.get(f"/v1/products/{KEY}"), client.get(PAIRS)
    assert plain.json() == escaped.json()
    assert plain.json()["product"]["id"] == KEY
    assert client.get(f"{PAIRS}/similar").json()["hits"] == client.get(f"/v1/products/{KEY}/similar").json()["hits"]


def test_similar_takes_the_same_filters_and_dial(client):
    told = client.get(f"{PAIRS}/similar", params={"k": 2, "color": ["blue", "green"], "color_weight": 0}).json()
    assert {hit["id"] for hit in told["hits"]} == {"drawn:wide/blue", "drawn:wide/green"}
    after = client.get(
        f"{PAIRS}/similar", params={"k": 2, "color": ["blue", "green"], "color_weight": 0, "cursor": told["next"]}
    )
    assert len(after.json()["hits"]) == 2
    assert KEY not in {hit["id"] for hit in after.json()["hits"]}


def test_brands_facets_and_version_are_told(client, picture, box):
    named = client.post("/v1/brand", files=upload(picture("wide", "red"))).json()
    assert named["brand"] in {"House of red", "House of blue", "House of green"}
    facets = client.get("/v1/facets", params={"category": "blocks", "price_min": 30}).json()
    assert (facets["products"], facets["price"]) == (9, [0, 110])
    version = client.get("/v1/version").json()
    assert (version["release"], version["image_urls"], version["key_needed"]) == (box.label, False, False)


def test_health_is_told_to_old_and_new(client, box):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/healthcheck").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "release": box.label, "refused": None}


def test_the_older_endpoint_answers_the_neighbours_of_search(client, picture):
    data = picture("tall", "green")
    told = client.post("/predict/image", params={"num_results": 5}, files=upload(data)).json()
    new = client.post("/v1/search", files=upload(data), data={"k": "5"}).json()
    assert told == [[hit["id"] for hit in new["hits"]]]
    assert "num_results" in problem(client.post("/predict/image?num_results=0", files=upload(data)), 422)["detail"]
    problem(client.post("/predict/image", json={"product": KEY}), 415)


def test_what_was_done_is_measured(serving, counting, box, picture):
    with serving(counting(box)) as client:
        client.post("/v1/search", files=upload(picture("wide", "red")))
        told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert 'lookalike_step_seconds_count{step="embed"} 1.0' in told.text
    assert "lookalike_upload_bytes_count 1.0" in told.text


def test_pictures_of_this_release_are_kept_for_ever_and_of_others_there_are_none(client, box):
    kept = client.get(f"/v1/pictures/1000.jpg?release={box.label}")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get("/v1/pictures/1000.jpg").headers["cache-control"] == "no-store"
    other = client.get("/v1/pictures/1000.jpg?release=other/1")
    assert "'other/1'" in problem(other, 404)["detail"]
    assert other.headers["cache-control"] == "no-store"
    again = client.get("/v1/pictures/1000.jpg", headers={"If-None-Match": f'"x", W/{kept.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")


def test_after_a_swap_pictures_are_those_of_the_release_that_named_them(serving, counting, box):
    counter = counting(box)
    with serving(counter) as client:
        for turn in (1, 2):
            of = {"label": f"drawn/{turn}", "thumbnail": lambda _, turn=turn: b"of %d" % turn}
            counter.swap(lambda of=of: type(box)(**{**vars(box), **of}))
        before, now = (client.get(f"/v1/pictures/1000.jpg?release=drawn/{turn}") for turn in (1, 2))
        assert (before.content, now.content) == (b"of 1", b"of 2")
        assert before.headers["cache-control"] == now.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert client.get("/v1/pictures/1000.jpg").content == b"of 2"
        problem(client.get(f"/v1/pictures/1000.jpg?release={box.label}"), 404)  # the one before that


def test_pictures_behind_a_key_are_kept_by_the_browser_alone(serving, counting, box):
    with serving(counting(box), key="0123456789abcdef") as client:
        answer = client.get(f"/v1/pictures/1000.jpg?release={box.label}")
    assert answer.headers["cache-control"].startswith("private, ")


@pytest.mark.parametrize("picture", ["1", "-1", "9" * 30, "x", "1.5", "%00", "..%2f..%2fetc%2fpasswd"])
def test_no_other_picture_is_to_be_had(client, picture):
    assert client.get(f"/v1/pictures/{picture}.jpg").status_code in {404, 422}


def test_a_head_is_a_get_without_its_body(client):
    for path in ("/", "/v1/version", PAIRS, "/v1/pictures/1000.jpg", "/healthz", "/metrics"):
        head = client.head(path)
        assert (head.status_code, head.content) == (client.get(path).status_code, b"")


def test_the_page_and_its_files_come_from_the_package(client):
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    assert client.get("/page.css").headers["content-type"] == "text/css; charset=utf-8"
    assert client.get("/page.js").headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/../api.py",
        "/%2e%2e/api.py",
        "/page/../../api.py",
        "/..%2fapi.py",
        "/page.css%00.js",
        "//etc/passwd",
        "/index.html",
    ],
)
def test_nothing_but_the_pages_own_files_is_served(client, path):
    with socket.create_connection((client.base_url.host, client.base_url.port), 10) as raw:  # nobody tidies the path
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"application/problem+json" in answer


def test_errors_of_every_kind_have_one_shape(client):
    assert "'/v2/search'" in problem(client.get("/v2/search"), 404)["detail"]
    wrong = client.delete("/v1/search")
    assert "Allow" in problem(wrong, 405)["detail"]
    assert wrong.headers["allow"] == "POST"
    told = problem(client.post("/v1/search", json={"product": KEY, "k": 400, "colour_weight": 1}), 422)
    assert {one["where"] for one in told["errors"]} == {"k", "colour_weight"}
    assert "(you gave 400)" in told["detail"]
    told = problem(client.get("/v1/facets", params={"price_min": "cheap", "brnd": "A"}), 422)
    assert {one["where"] for one in told["errors"]} == {"price_min", "brnd"}
    assert "did you mean brand?" in told["detail"]
    assert (
        "line 1, column 2"
        in problem(client.post("/v1/search", content="{", headers={"Content-Type": "application/json"}), 400)["detail"]
    )
    problem(client.post("/v1/search", content=b"a"), 415)
    problem(client.post("/v1/search", json={"product": "shoe-9"}), 404)
    problem(client.get("/v1/products/shoe-9"), 404)
    problem(client.get("/v1/products/shoe-9/similar"), 404)
    assert "image_hosts=" in problem(client.post("/v1/search", json={"url": "https://a.example/b"}), 400)["detail"]
    problem(client.post("/v1/search", files=upload(b"%PDF-1.7")), 415)
    problem(client.post("/v1/search", files=upload(b"")), 422)
    problem(client.post("/v1/brand", json={}), 422)
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    problem(client.post("/v1/search", content=b"{}", headers=packed), 415)


def test_strange_signs_come_back_as_plain_ones(client):
    body = json.dumps({"\ud800": 1, "product": "\ud800\0"}).encode()  # escaped: half of a pair
    told = problem(client.post("/v1/search", content=body, headers={"Content-Type": "application/json"}), 422)
    assert told["detail"].isascii()
    problem(client.get("/v1/products/%FF%00%0A"), 404)
    problem(client.get("/v1/facets?brand=%FF%00&price_min=%ED%A0%80"), 422)


def test_a_body_larger_than_the_rules_is_refused(serving, counting, box):
    with serving(counting(box), body_bytes=1000) as client:
        problem(client.post("/v1/search", files=upload(b"a" * 2000)), 413)


def test_a_server_without_a_release_lives_and_says_so(serving, counting):
    with serving(counting()) as client:
        assert client.get("/healthz").status_code == 200
        for answer in (
            client.get("/readyz"),
            client.get("/v1/version"),
            client.post("/v1/search", json={"product": "a"}),
        ):
            assert "no release is on the counter yet" in problem(answer, 503)["detail"]
            assert answer.headers["retry-after"]
        assert client.get("/openapi.json").status_code == 200


def test_a_failure_shows_nothing_of_the_house(serving, counting, box):
    def broken(data, crop):
        raise RuntimeError(f"secret of {len(data)}")

    with serving(counting(type(box)(**{**vars(box), "sight": broken}))) as client:
        answer = client.post("/v1/search", files=upload(b"a"))
    assert "secret" not in answer.text
    problem(answer, 500)


def test_addresses_are_fetched_where_that_is_allowed(serving, counting, box, picture):
    def fetch(url):
        if url.startswith("https://"):
            return picture("wide", "red")
        raise FetchError("scheme", f"{url}: only https addresses are fetched")

    with serving(counting(box), fetch) as client:
        assert client.get("/v1/version").json()["image_urls"] is True
        told = client.post("/v1/search", json={"url": "https://a.example/b", "crop": [0, 0, 1, 1]}).json()
        assert told["hits"][0]["id"] == KEY
        detail = problem(client.post("/v1/brand", json={"url": "ftp://a.example/b"}), 422)["detail"]
        assert detail == "the picture cannot be fetched: only http and https addresses are fetched"


def test_slow_addresses_stop_no_search_and_as_many_more_are_told_to_wait(serving, counting, box, picture):
    asked, go = [], threading.Event()

    def fetch(url):
        asked.append(url)
        assert go.wait(20)
        return picture("wide", "red")

    with serving(counting(box), fetch, guard=True, at_once=1, waiting=3) as client, ThreadPoolExecutor(2) as askers:
        slow = [askers.submit(client.post, "/v1/search", json={"url": f"https://a.example/{n}"}) for n in range(2)]
        wait_until(lambda: len(asked) == 2)
        assert client.post("/v1/search", json={"product": KEY}).status_code == 200
        full = client.post("/v1/search", json={"url": "https://a.example/3"})
        assert "being fetched" in problem(full, 429)["detail"]
        assert full.headers["retry-after"] == "1"
        go.set()
        assert {one.result().json()["hits"][0]["id"] for one in slow} == {KEY}
    assert len(asked) == 2


class Held:
    """A box whose search waits until it is let go, and counts how many there are."""

    def __init__(self, box):
        self.go, self.working, self.most = threading.Event(), 0, 0
        self.box = type(box)(**{**vars(box), "search": self.search})
        self._search, self._lock = box.search, threading.Lock()

    def search(self, *words, **named):
        with self._lock:
            self.working += 1
            self.most = max(self.most, self.working)
        assert self.go.wait(20)
        with self._lock:
            self.working -= 1
        return self._search(*words, **named)


def wait_until(is_so):
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_more_like_this_takes_a_place_as_any_search_and_nobody_waits_without_one(serving, counting, box):
    held = Held(box)
    with serving(counting(held.box), guard=True, at_once=1, waiting=1) as client, ThreadPoolExecutor(2) as askers:
        asking = [askers.submit(client.get, f"{PAIRS}/similar") for _ in range(2)]
        wait_until(lambda: held.working == 1 and "lookalike_in_flight 3.0" in client.get("/metrics").text)
        for answer in (
            client.get(f"{PAIRS}/similar"),
            client.get("/v1/facets"),
            client.post("/v1/search", json={"product": KEY}),
        ):
            assert "busy" in problem(answer, 429)["detail"]
        assert client.get(PAIRS).status_code == 200
        held.go.set()
        assert [one.result().status_code for one in asking] == [200, 200]
        assert client.get("/v1/facets").status_code == 200
        told = client.get("/openapi.json").json()["paths"]
    assert held.most == 1
    for path in ("/v1/products/{id}/similar", "/v1/facets"):
        assert "429" in told[path]["get"]["responses"]


def test_so_many_are_worked_on_at_once(serving, counting, box):
    held = Held(box)
    with serving(counting(held.box), guard=True, at_once=2, waiting=6) as client, ThreadPoolExecutor(6) as askers:
        asking = [askers.submit(client.post, "/v1/search", json={"product": KEY}) for _ in range(5)]
        asking.append(askers.submit(client.get, "/v1/facets"))
        wait_until(lambda: held.working == 2 and "lookalike_in_flight 7.0" in client.get("/metrics").text)
        held.go.set()
        assert [one.result().status_code for one in asking] == [200] * 6
    assert held.most == 2


@pytest.mark.parametrize("key", ["", "0123456789abcdef"])
def test_what_ails_a_release_is_told_to_who_has_a_key_and_to_strangers_only_that_something_does(serving, box, key):
    labels = ["drawn/1"]

    def opened(label):
        if label != "drawn/1":
            raise DataError("/srv/releases/drawn/2/manifest.json: altered")
        return box

    counter = Counter(latest=lambda: labels[-1], opened=opened, rolled_back=list)
    counter.look()
    labels.append("/srv/releases/drawn/2")
    counter.look()
    plain = {"release": "drawn/2", "why": "drawn/2 cannot be opened; the server's log tells why"}
    with serving(counter, guard=True, key=key) as client:
        assert client.get("/readyz").json()["refused"] == plain
        told = client.get("/v1/version", headers={"X-API-Key": key}).json()["refused"]
    assert told["release"] == "drawn/2"
    assert ("manifest.json: altered" in told["why"]) == bool(key)
    assert key or told == plain


def test_before_a_release_is_there_strangers_are_told_no_place_of_this_machine(serving, caplog):
    def opened(label):
        raise DataError("/srv/releases/drawn/1/manifest.json: altered")

    counter = Counter(latest=lambda: "/srv/releases/drawn/1", opened=opened, rolled_back=list)
    with caplog.at_level(logging.ERROR):
        counter.look()
    with serving(counter) as client:
        detail = problem(client.get("/readyz"), 503)["detail"]
    assert "drawn/1 cannot be opened" in detail
    assert "srv" not in detail
    assert "manifest.json: altered" in caplog.text


def test_what_is_behind_a_key_is_not_in_the_examples(serving, counting, box, client):
    opens = client.get("/openapi.json").text
    assert all(one in opens for one in (box.goods.keys[0], box.goods.values["brand"][0], box.label))
    with serving(counting(box), guard=True, key="0123456789abcdef") as keyed:
        told = keyed.get("/openapi.json").text
    for one in ("drawn", "House of", f"/{box.goods.ids[0]}.jpg"):
        assert one not in told
    assert forms.PRODUCT in told


def test_the_admins_routes_are_there_where_an_admin_is(serving, counting, box, client):
    problem(client.post("/v1/admin/reload"), 404)
    newer = type(box)(**{**vars(box), "label": "drawn/newer"})
    with serving(counting(box, newer), admin_key="0123456789abcdef") as admin:
        assert admin.post("/v1/admin/reload").json()["release"] == "drawn/newer"
        assert "cannot be opened" in problem(admin.post("/v1/admin/rollback"), 409)["detail"]  # none is left
        version = admin.get("/v1/version").json()
        assert version["release"] == "drawn/newer"
        assert version["refused"]["release"] == "meant"
        assert admin.get("/readyz").json()["refused"]["why"] == version["refused"]["why"]


def test_a_request_is_answered_by_one_release_while_they_are_swapped(serving, counting, box, picture):
    counter = counting(box)
    data = picture("wide", "red")

    def ask(_):
        told = client.post("/v1/search", files=upload(data)).json()
        return told["release"], {hit["picture"].partition("=")[2] for hit in told["hits"]}

    with serving(counter) as client, ThreadPoolExecutor(4) as askers:
        asking = [askers.submit(ask, turn) for turn in range(40)]
        for turn in range(10):
            counter.swap(lambda turn=turn: type(box)(**{**vars(box), "label": f"drawn/{turn}"}))
        told = [one.result() for one in asking]
    assert all(pictures == {release} for release, pictures in told)


def test_every_example_of_openapi_runs(client):
    told = client.get("/openapi.json").json()
    ran = []
    for path, operations in told["paths"].items():
        for content in operations.get("post", {}).get("requestBody", {}).get("content", {}).values():
            for name, example in content.get("examples", {}).items():
                answer = client.post(path, json=example["value"])
                assert answer.status_code == 200, (name, answer.text)
                ran.append(name)
    assert len(ran) == 6


def test_every_parameters_example_is_taken(client):
    told = client.get("/openapi.json").json()
    for path, operations in told["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", []):
            for value in parameter["schema"].get("examples", []):
                escaped = str(value).replace("/", "%2F")
                asked = {} if parameter["in"] == "path" else {parameter["name"]: value}
                filled = path.replace(f"{{{parameter['name']}}}", escaped)
                filled = filled.replace("{id}", KEY.replace("/", "%2F")).replace("{picture}", "1000")
                answer = client.get(filled, params=asked)
                assert answer.status_code == 200, (path, parameter["name"], answer.text)


def test_openapi_tells_of_all_there_is(client):
    told = client.get("/openapi.json").json()
    operations = {(verb, path): one for path, verbs in told["paths"].items() for verb, one in verbs.items()}
    assert {path for _, path in operations} == {
        "/v1/search", "/v1/brand", "/v1/products/{id}", "/v1/products/{id}/similar", "/v1/facets", "/v1/pictures/{picture}.jpg",
        "/v1/version", "/healthz", "/readyz", "/metrics", "/healthcheck", "/predict/image",
    }  # fmt: skip
    assert "head" not in {verb for verb, _ in operations}
    for one in operations.values():
        assert one["operationId"]
        assert one["summary"]
        assert one["tags"]
        assert one["description"]
    assert set(told["components"]["securitySchemes"]) == {"key", "bearer"}
    assert "HTTPValidationError" not in told["components"]["schemas"]
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_openapi_asks_for_a_key_where_one_is_needed(serving, counting, box):
    with serving(counting(box), key="0123456789abcdef", admin_key="fedcba9876543210") as client:
        told = client.get("/openapi.json").json()["paths"]
    assert (
        told["/v1/search"]["post"]["security"]
        == told["/v1/admin/reload"]["post"]["security"]
        == [{"key": []}, {"bearer": []}]
    )
    assert "security" not in told["/healthz"]["get"]


def test_it_is_the_same_behind_its_guards(serving, counting, box, picture):
    with serving(counting(box), guard=True, key="0123456789abcdef") as client:
        assert problem(client.get("/v1/version"), 401)["request"]
        client.headers["X-API-Key"] = "0123456789abcdef"
        told = client.post("/v1/search", files=upload(picture("wide", "red")))
        assert told.json()["hits"][0]["id"] == KEY
        answer = client.post("/v1/search", json={"product": "shoe-9"})
        assert problem(answer, 404)["request"] == answer.headers["x-request-id"]
        metered = httpx.get(f"{client.base_url}/metrics").text
    assert 'route="/v1/search"' in metered
