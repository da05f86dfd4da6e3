"""The API does what its OpenAPI says: schemathesis asks, in thousands of ways, right and wrong."""

import subprocess
import sys

import pytest

# Left out: positive_data_acceptance, as no schema can say which ids, cursors and bytes of pictures there are. What it would
# show is shown by the examples, which must all run (test_api).
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,missing_required_header,unsupported_method,allow_header_conformance"
)
REFUSES = "negative_data_rejection"


def asked(client, folder, checks, *words):
    """What schemathesis says of a server, and its exit code. It runs by itself: it changes much of the process that it is in."""
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{client.base_url}/openapi.json",
    ]
    always = ["--checks", checks, "--seed", "1", "--continue-on-failure", "--no-color", *words]
    done = subprocess.run([*command, *always], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def guarded_client(serving, counting, box, picture):
    """As it is on the internet: behind its guards, with addresses fetched and an admin."""

    def fetch(url):
        return picture("wide", "red") if len(url) % 2 else b"no picture"

    with serving(counting(box), fetch, guard=True, at_once=2) as one:
        yield one


def test_drawn_questions_meet_no_failure_and_no_surprise(guarded_client, tmp_path):
    words = ("--phases", "examples,fuzzing", "--max-examples", "8")
    code, said = asked(guarded_client, tmp_path, f"{CHECKS},{REFUSES}", *words)
    assert code == 0, said
    assert "12 selected / 12 total" in said


@pytest.mark.slow
def test_every_corner_of_the_schema_meets_no_failure_and_no_surprise(guarded_client, tmp_path):
    """Of 1,500 requests. That wrong ones are refused is not asked: to schemathesis the text {} in a form is no text."""
    code, said = asked(guarded_client, tmp_path, CHECKS, "--phases", "coverage")
    assert code == 0, said
