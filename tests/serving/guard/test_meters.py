"""What is counted, read back as Prometheus would read it."""

import os
import subprocess
import sys
import textwrap

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from lookalike.serving.meters import METHODS, Meters
from lookalike.serving.watch import Refused


def read(text):
    """All samples: (name, labels) -> value."""
    families = text_string_to_metric_families(text.decode())
    return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}


@pytest.fixture
def meters():
    return Meters()


def test_requests_are_counted_by_route_method_and_status_and_timed_by_route(meters):
    meters.answered("/v1/search", "POST", 200, 0.02)
    meters.answered("/v1/search", "POST", 200, 0.2)
    meters.answered("/v1/search", "POST", 429, 0.0001)
    said = read(meters.text()[0])
    labels = ("method", "POST"), ("route", "/v1/search")
    assert said["lookalike_requests_total", *labels, ("status", "200")] == 2
    assert said["lookalike_requests_total", *labels, ("status", "429")] == 1
    assert said["lookalike_request_seconds_count", ("route", "/v1/search")] == 3
    assert said["lookalike_request_seconds_sum", ("route", "/v1/search")] == pytest.approx(0.2201)
    assert said["lookalike_request_seconds_bucket", ("le", "0.025"), ("route", "/v1/search")] == 2


def test_what_met_no_route_and_what_is_no_method_are_one_label(meters):
    for number in range(100):
        meters.answered(None, f"EVIL{number}", 404, 0.01)
    counted = [name for name in read(meters.text()[0]) if name[0] == "lookalike_requests_total"]
    assert counted == [("lookalike_requests_total", ("method", "other"), ("route", "other"), ("status", "404"))]
    assert "other" not in METHODS


def test_in_flight_goes_up_and_comes_down_whatever_happens(meters):
    def now():
        return read(meters.text()[0])["lookalike_in_flight",]

    with meters.in_flight(), meters.in_flight():
        assert now() == 2
    with pytest.raises(KeyError), meters.in_flight():
        raise KeyError
    assert now() == 0


def test_steps_uploads_and_refusals_are_told(meters):
    meters.took("decode", 0.004)
    meters.took("embed", 0.03)
    meters.uploaded(5000)
    meters.refused("busy")
    said = read(meters.text()[0])
    assert said["lookalike_step_seconds_sum", ("step", "decode")] == 0.004
    assert said["lookalike_step_seconds_count", ("step", "embed")] == 1
    assert said["lookalike_upload_bytes_sum",] == 5000
    assert said["lookalike_upload_bytes_bucket", ("le", "4096.0")] == 0
    assert said["lookalike_upload_bytes_bucket", ("le", "16384.0")] == 1
    assert said["lookalike_refused_total", ("reason", "busy")] == 1


def test_the_release_on_the_counter_is_the_one_that_says_1(meters, box):
    meters.told(box("boots/1", "boots@1", products=3))
    meters.told(Refused(label="boots/9", words="altered"))
    meters.told(box("boots/2", "boots@2", products=5))
    said = read(meters.text()[0])
    assert said["lookalike_release", ("catalog", "boots@1"), ("release", "boots/1")] == 0
    assert said["lookalike_release", ("catalog", "boots@2"), ("release", "boots/2")] == 1
    assert said["lookalike_products",] == 5
    assert said["lookalike_swaps_total",] == 2
    assert said["lookalike_refused_swaps_total",] == 1


def test_the_same_release_again_is_still_the_one_on_the_counter(meters, box):
    meters.told(box())
    meters.told(box())
    assert read(meters.text()[0])["lookalike_release", ("catalog", "boots@1"), ("release", "boots/1")] == 1


def test_two_meters_know_nothing_of_each_other_and_the_library_knows_neither(meters):
    other = Meters()
    meters.refused("busy")
    assert "busy" not in other.text()[0].decode()
    assert "lookalike" not in {name.split("_")[0] for name in REGISTRY._names_to_collectors}


def test_the_text_says_what_kind_of_text_it_is(meters):
    body, kind = meters.text()
    assert kind.startswith("text/plain; version=0.0.4")
    assert body.endswith(b"\n")


# Two processes of one server; each tells what it knows of both, and one of them again when the other was killed.
TWO = """
    import os, signal, sys
    from types import SimpleNamespace
    from lookalike.serving.meters import Meters

    def worked(times):
        meters = Meters()
        meters.told(SimpleNamespace(label="boots/1", catalog="boots@1", goods=SimpleNamespace(keys=range(7))))
        for _ in range(times):
            meters.answered("/v1/search", "POST", 200, 0.5)
        return meters

    def tell(meters):
        print(meters.text()[0].decode(), end="\\f", flush=True)

    (hear, say), (told, go) = os.pipe(), os.pipe()
    other = os.fork()
    meters = worked(3 if other else 4)
    with meters.in_flight():
        if not other:
            os.write(say, b"worked")
            os.read(told, 9)
            tell(meters)
            os.write(say, b"told")
            signal.pause()
        os.read(hear, 9)
        tell(meters)
        os.write(go, b"tell")
        os.read(hear, 9)
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
        tell(meters)
"""


def test_either_of_two_processes_tells_the_sums_of_both_and_the_dead_are_not_in_flight(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(TWO)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    texts = done.stdout.split(b"\f")
    assert texts.pop() == b""
    assert len(texts) == 3
    for text, alive in zip(texts, (2, 2, 1), strict=True):
        said = read(text)
        assert said["lookalike_requests_total", ("method", "POST"), ("route", "/v1/search"), ("status", "200")] == 7
        assert said["lookalike_request_seconds_sum", ("route", "/v1/search")] == 3.5
        assert said["lookalike_in_flight",] == alive
        assert said["lookalike_release", ("catalog", "boots@1"), ("release", "boots/1")] == alive
        assert said["lookalike_products",] == 7
