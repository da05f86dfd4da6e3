"""The scripts that make the tables of experiments/ still run, and their three ways still agree."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def said_by(script, *words):
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, *words], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


@pytest.mark.slow
def test_lookalike_pytorch_metric_learning_and_brute_force_say_the_same():
    rows = re.findall(
        r"^\| .* \| ([\d.]{8}) \| .* to .* \| ([\d.]{8}) \| ([\d.]{8}) \|$", said_by("compare_definitions"), re.M
    )
    assert len(rows) == 4
    for ours, theirs, brute in rows:
        assert float(ours) == pytest.approx(float(theirs), abs=2e-6)
        assert float(ours) == pytest.approx(float(brute), abs=2e-6)


@pytest.mark.slow
def test_the_benchmark_measures_each_way():
    table = said_by("benchmark_retrieval", "--vectors", "2000", "--pml", "1000")
    assert re.findall(r"^\| (\w+) \| ([\d,]+) x 128 \|", table, re.M) == [
        ("lookalike", "2,000"),
        ("faiss", "2,000"),
        ("pml", "1,000"),
    ]
