"""`lookalike audit` on data sets whose pictures are harmed: what nobody could look at is not called free of leaks."""

import shutil

import pytest


@pytest.fixture
def shop(drawn, tmp_path):
    """The drawn data set, to be harmed."""
    shutil.copytree(drawn[0] / "data", tmp_path / "data")
    return tmp_path


def pictures(shop):
    return sorted(one for one in (shop / "data/images").rglob("*") if one.is_file())


def page(shop):
    return next((shop / "data/audits").rglob("audit.html")).read_text()


def test_a_sound_data_set_has_no_leak(lookalike, shop):
    assert lookalike("audit", "dataset=toy", at=shop).endswith("no leak\n")
    assert '<section class="verdict good">' in page(shop)


def test_missing_and_altered_pictures_make_the_verdict_a_no(lookalike, shop):
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
