"""`lookalike audit` on data sets whose pictures are harmed: what nobody could look at is not called free of leaks."""

import shutil
import subprocess
import sys

import pytest


def lookalike(*words, at, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "lookalike", *words], cwd=at, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    at = tmp_path_factory.mktemp("imported")
    drawn = ("adapter=toy", "adapter.styles=12", "adapter.colorways=2", "adapter.views=2", "adapter.size=64")
    lookalike("import", *drawn, "name=toy", at=at)
    return at


@pytest.fixture
def shop(imported, tmp_path):
    """The imported data set, to be harmed."""
    shutil.copytree(imported / "data", tmp_path / "data")
    return tmp_path


def pictures(shop):
    return sorted(one for one in (shop / "data/images").rglob("*") if one.is_file())


def page(shop):
    return next((shop / "data/audits").rglob("audit.html")).read_text()


def test_a_sound_data_set_has_no_leak(shop):
    assert lookalike("audit", "dataset=toy", at=shop).endswith("no leak\n")
    assert '<section class="verdict good">' in page(shop)


def test_missing_and_altered_pictures_make_the_verdict_a_no(shop):
    missing, altered = pictures(shop)[:2]
    missing.unlink()
    altered.write_bytes(b"not a picture")
    count = len(pictures(shop)) + 1
    said = lookalike("audit", "dataset=toy", at=shop, code=1)
    assert f"no leak among the pictures that could be read; 2 of {count} could not: see unreadable.csv" in said
    assert f"No leak among the pictures that could be read; 2 of {count} could not" in page(shop)
    assert '<section class="verdict bad">' in page(shop)
    shutil.rmtree(shop / "data/images")
    said = lookalike("audit", "dataset=toy", at=shop, code=1)
    assert f"{count} of {count} could not" in said
