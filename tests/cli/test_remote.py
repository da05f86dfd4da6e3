"""The command with its pictures and data sets in a bucket, on a server that speaks S3: import, audit, learn, measure."""

import json
import os
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from s3fs import S3FileSystem

from lookalike.cli import places
from lookalike.settings import Paths, PlaceError

FEW = ("adapter=toy", "adapter.styles=6", "adapter.colorways=2", "adapter.views=2", "adapter.size=32")
SMALL = ("pixels.size=32", "batch.products=2", "backbone=timm", "backbone.model=test_resnet")
THERE = ("paths.images=s3://shelf/lookalike/images", "paths.datasets=s3://shelf/lookalike/datasets")


@pytest.fixture
def bucket(s3_server):
    """A server with a bucket, which the environment tells of."""
    with (
        s3_server() as server,
        urlopen(Request(f"{server.url}/shelf", method="PUT")),  # noqa: S310
        pytest.MonkeyPatch.context() as environment,
    ):
        for name in [one for one in os.environ if one.startswith("AWS_")]:
            environment.delenv(name)
        for name, value in {"ENDPOINT_URL": server.url, "ACCESS_KEY_ID": "us", "SECRET_ACCESS_KEY": "geheim"}.items():
            environment.setenv(f"AWS_{name}", value)
        S3FileSystem.clear_instance_cache()
        yield S3FileSystem(use_listings_cache=False)
    S3FileSystem.clear_instance_cache()


def test_every_verb_works_from_a_bucket_as_from_a_disk(lookalike, bucket, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for at, paths in ((here, ()), (there, THERE)):
        at.mkdir()
        said = lookalike("import", *FEW, "name=toy", *paths, at=at)
        lookalike("evaluate", "embedder=random", "pixels.size=32", "dataset=toy", "split=all", *paths, at=at)
    assert "folder    s3://shelf/lookalike/datasets/toy/" in said
    one, other = (json.loads(next((at / "runs/untrained").rglob("metrics.json")).read_text()) for at in (here, there))
    assert one.pop("cost").keys() == other.pop("cost").keys()  # a clock's word, never twice the same
    assert one == other
    assert {child.name for child in (there / "data").iterdir()} == {"cache"}
    kept = sorted(child.name for child in (here / "data/images").rglob("*") if child.is_file())
    assert sorted(name.rpartition("/")[2] for name in bucket.find("shelf/lookalike/images")) == kept
    lookalike("train", "dataset=toy", *SMALL, "epochs=0", "name=tiny", *THERE, at=there)
    assert "run tiny/" in lookalike("evaluate", "run=tiny", *THERE, at=there)
    assert lookalike("audit", "dataset=toy", *THERE, at=there).endswith("no leak\n")
    assert "good   data set       toy@" in lookalike("doctor", *THERE, at=there)


def test_a_path_is_a_folder_and_what_begins_like_an_address_is_one():
    assert places.pictures(Paths(images="my/pictures")) == Path("my/pictures")
    assert places.datasets(Paths(data="here")) == Path("here/datasets")
    for slip in ("s3:/shelf/x", "S3://shelf/x", "gs://shelf/x"):
        with pytest.raises(PlaceError, match="not a place that can be read; give a folder, or s3://bucket/folder"):
            places.pictures(Paths(images=slip))


def test_what_is_wrong_with_the_bucket_is_one_sentence_and_doctor_finds_it(lookalike, bucket, tmp_path):
    gone = ("paths.images=s3://shelf/images", "paths.datasets=s3://nosuch/datasets")
    said = lookalike("import", *FEW, "name=toy", *gone, at=tmp_path, code=4)
    assert said.endswith(
        "lookalike import: s3://nosuch/datasets: the server has no bucket 'nosuch'. Make it, or give another place\n"
    )
    assert not bucket.find("shelf")  # no picture was read before it was known
    said = lookalike("doctor", *gone, at=tmp_path, code=1)
    assert "wrong  writing        s3://nosuch/datasets: the server has no bucket 'nosuch'" in said
    assert "geheim" not in said
