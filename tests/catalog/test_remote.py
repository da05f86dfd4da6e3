"""Pictures and data sets in a bucket, on a server that speaks S3: the same words, the same promises as on a disk."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from urllib.request import Request, urlopen

import numpy as np
import pytest
from s3fs import S3FileSystem

from lookalike import files
from lookalike.catalog import pictures, versions
from lookalike.catalog.nearness import fingerprint
from lookalike.catalog.product import Product, View
from lookalike.catalog.remote import reached
from lookalike.settings import DataError, PlaceError

BOOT = b"a picture of a boot"
NAME = hashlib.sha256(BOOT).hexdigest()
TABLES = ("products.parquet", "set_aside.parquet", "views.parquet")
numbers = count()


def ask(url, method="PUT", data=None):
    with urlopen(Request(url, data=data, method=method, headers={"Content-Type": "text/plain"})):  # noqa: S310
        pass


@pytest.fixture(scope="module")
def server(s3_server):
    """The address of a server that speaks S3."""
    with s3_server() as running:
        yield running


@pytest.fixture
def account(server, monkeypatch, tmp_path):
    """An environment that knows this server and no other; what s3fs made of an earlier one is forgotten."""
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    known = {
        "ENDPOINT_URL": server.url,
        "ACCESS_KEY_ID": "us",
        "SECRET_ACCESS_KEY": "geheim",
        "EC2_METADATA_DISABLED": "true",
    }
    for name, value in known.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    S3FileSystem.clear_instance_cache()
    yield monkeypatch
    S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(server, account):
    """A folder in a bucket of its own."""
    name = f"shelf-{next(numbers)}"
    ask(f"{server.url}/{name}")
    return reached(f"s3://{name}/some/where")


@pytest.fixture
def asked(server, bucket):
    """`asked("PUT")`: what the server was asked for in this test, in order: the last part of each address."""
    return partial(server.asked, since=len(server.log.read_text()))


def products(number):
    def view(seed):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        known = {"format": "PNG", "width": 64, "height": 64, "size": 9, "source": f"line {seed}"}
        return View(sha256=f"{seed:064x}", fingerprint=fingerprint(pixels), **known)

    return [
        Product(product=f"p{n:03d}", style=f"s{n // 2}", category="Boots", views=(view(2 * n), view(2 * n + 1)))
        for n in range(number)
    ]


def test_a_place_answers_as_a_folder_on_a_disk_would(bucket, tmp_path):
    for root in (bucket, tmp_path):
        files.write_text(root / "new" / "a.txt", "Größe")
        files.write_json(root / "b", {"b": 1})
        assert (root / "new" / "a.txt").read_bytes().decode() == "Größe"
        assert sorted(one.name for one in root.iterdir()) == ["b", "new"]
        assert [one.name for one in root.iterdir() if one.is_dir()] == ["new"]
        assert [(root / name).is_file() for name in ("b", "new", "c")] == [True, False, False]
        assert files.obstacle(root) == ""
        with pytest.raises(FileNotFoundError):
            (root / "c").read_bytes()
    assert bucket.sizes() == {"b": 13, "new/a.txt": 7}
    assert str(bucket / "b").endswith("/some/where/b")


def test_the_mark_that_a_console_puts_for_a_folder_is_no_file(bucket):
    for mark in ("", "/empty"):
        bucket.system.touch(f"{bucket.key}{mark}/")
    assert bucket.sizes() == {}
    assert [one.name for one in bucket.iterdir()] == ["empty"]


def test_a_picture_is_put_once_and_comes_back(bucket, asked):
    with ThreadPoolExecutor(4) as pool:
        assert pictures.keep(bucket, BOOT) == NAME
        assert set(pool.map(lambda _: pictures.keep(bucket, BOOT), range(8))) == {NAME}
        assert pictures.read(bucket, NAME) == BOOT
    assert asked("PUT") == asked("GET")[-1:] == [NAME]
    assert bucket.sizes() == {f"{NAME[:2]}/{NAME}": len(BOOT)}


def test_a_missing_picture_is_named_with_the_mend(bucket):
    with pytest.raises(
        DataError, match=f"{bucket}/{NAME[:2]}/{NAME}: this picture is missing. Import its source again"
    ):
        pictures.read(bucket, NAME)


def test_a_picture_that_was_cut_short_is_mended_by_keeping_it_again(bucket):
    pictures.path_of(bucket, NAME).write_bytes(BOOT[:-1])
    with pytest.raises(DataError, match="this picture was altered"):
        pictures.read(bucket, NAME)
    pictures.keep(bucket, BOOT)
    assert pictures.read(bucket, NAME) == BOOT


def test_one_question_tells_whether_a_picture_is_here_and_as_long_as_it_should_be(bucket, asked):
    seen = View(sha256=NAME, format="PNG", width=9, height=9, size=len(BOOT), fingerprint=b"", source="")
    assert not pictures.is_here(bucket, seen)
    pictures.path_of(bucket, NAME).write_bytes(BOOT[:-1])
    assert not pictures.is_here(bucket, seen)
    pictures.path_of(bucket, NAME).write_bytes(BOOT)
    assert pictures.is_here(bucket, seen)
    assert (asked("HEAD"), asked("GET")) == ([NAME] * 2, [])  # of what is there: its log colors the rest


def test_an_altered_picture_of_the_same_length_is_refused_and_mended_as_told(bucket):
    pictures.path_of(bucket, NAME).write_bytes(BOOT[:-1] + b"!")
    pictures.keep(bucket, BOOT)  # the length is right: not looked at again
    with pytest.raises(DataError, match=r"this picture was altered .*Delete it\. Import its source again"):
        pictures.read(bucket, NAME)
    pictures.path_of(bucket, NAME).unlink()
    pictures.keep(bucket, BOOT)
    assert pictures.read(bucket, NAME) == BOOT


def test_a_version_in_a_bucket_is_the_version_that_a_disk_would_hold(bucket, tmp_path):
    there, here = (versions.freeze("shoes", products(20), root=root) for root in (bucket, tmp_path))
    assert there.label == here.label
    found = versions.find(f"shoes@{there.version[:6]}", bucket)
    assert all(getattr(found, table).equals(getattr(here, table)) for table in ("products", "views", "set_aside"))
    assert str(found.folder) == f"{bucket}/shoes/{here.version}"


def test_the_name_alone_means_the_newest_version(bucket):
    first = versions.freeze("shoes", products(10), root=bucket)
    second = versions.freeze("shoes", products(12), root=bucket)
    assert second.manifest["parent"] == first.version
    assert versions.find("shoes", bucket).version == second.version
    assert len(versions.find(first.label, bucket).products) == 10
    with pytest.raises(DataError, match=f"no data set 'boots' under {bucket}; there are: shoes"):
        versions.find("boots", bucket)


def test_the_manifest_is_put_when_all_it_tells_of_is_there_and_a_version_is_put_once(bucket, asked):
    for _ in range(2):
        versions.freeze("shoes", products(4), root=bucket)
    assert asked("PUT") == [*TABLES, "manifest.json", "newest", "newest"]


@pytest.mark.parametrize("put", range(4))
def test_what_a_kill_leaves_is_refused_and_made_whole_by_the_next_try(bucket, put):
    frozen = versions.freeze("shoes", products(4), root=bucket)
    for lost in [*TABLES, "manifest.json"][put:]:
        (frozen.folder / lost).unlink()
    with pytest.raises(DataError, match="never finished" if put else "no one version"):
        versions.find(frozen.label, bucket)
    assert versions.freeze("shoes", products(4), root=bucket).label == frozen.label
    assert versions.find("shoes", bucket).products.equals(frozen.products)


def test_every_fault_of_a_version_is_told_at_once_and_the_next_try_mends_it(bucket):
    frozen = versions.freeze("shoes", products(4), root=bucket)
    size = frozen.folder.sizes()["products.parquet"]
    (frozen.folder / "products.parquet").write_bytes(bytes(size))
    (frozen.folder / "views.parquet").write_bytes(b"short")
    (frozen.folder / "set_aside.parquet").unlink()
    (frozen.folder / "sub" / "stray").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        versions.find("shoes", bucket)
    told = (
        "products.parquet was altered",
        "views.parquet has 5 bytes",
        "set_aside.parquet is missing",
        "sub/stray is not",
    )
    assert all(one in str(caught.value) for one in told)
    versions.freeze("shoes", products(4), root=bucket)
    assert sorted(frozen.folder.sizes()) == ["manifest.json", *TABLES]


def test_many_writers_of_one_version_do_no_harm(bucket):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: versions.freeze("shoes", products(4), root=bucket).label, range(4)))
    assert versions.find("shoes", bucket).label == made[0]
    assert len(set(made)) == 1


def test_a_folder_whose_block_fails_never_was_and_a_whole_one_is_left_as_it_is(bucket):
    def write(text, wrong=None):
        with files.new_folder(bucket / "made") as draft:
            (draft / "a").write_text(text)
            files.seal(draft, {})
            if wrong:
                raise wrong

    with pytest.raises(RuntimeError):
        write("half", RuntimeError())
    assert bucket.sizes() == {}
    write("first")
    write("second")
    assert (bucket / "made" / "a").read_bytes() == b"first"


@pytest.mark.parametrize(
    ("environment", "address", "said"),
    [
        ({}, "s3://nosuch/x", "s3://nosuch/x: the server has no bucket 'nosuch'. Make it"),
        ({}, "s3://", "not a place that can be read; give a folder, or s3://bucket/folder"),
        ({}, "s3://us:geheim@shelf/x", "s3://shelf/x: not a place"),
        ({}, "gs://shelf/x", "gs://shelf/x: not a place"),
        (
            {"ACCESS_KEY_ID": None, "SECRET_ACCESS_KEY": None},
            "",
            "Unable to locate credentials. Set AWS_ACCESS_KEY_ID and",
        ),
        ({"SECRET_ACCESS_KEY": None}, "", "missing: AWS_SECRET_ACCESS_KEY. Set AWS_ACCESS_KEY_ID and"),
        (
            {"PROFILE": "nosuch", "ACCESS_KEY_ID": None},
            "",
            "profile (nosuch) could not be found. Set AWS_ACCESS_KEY_ID",
        ),
        ({"ENDPOINT_URL": "localhost:9"}, "", "Invalid endpoint: localhost:9. Check the address, and AWS_ENDPOINT_URL"),
        ({"ENDPOINT_URL": "http://us:geheim@no host"}, "", "Invalid endpoint: http://no host. Check"),
        ({"ENDPOINT_URL": "http://127.0.0.1:9"}, "", "nobody answers"),  # the discard port: nobody listens
    ],
)
def test_what_keeps_a_bucket_from_answering_is_said_in_a_sentence_without_a_secret(account, environment, address, said):
    for name, value in environment.items():
        account.setenv(f"AWS_{name}", value) if value else account.delenv(f"AWS_{name}")
    with pytest.raises(PlaceError) as caught:
        reached(address or "s3://shelf/x")
    assert said in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_credentials_that_the_server_refuses_are_told_to_be_checked(server, bucket):
    ask(f"{server.url}/moto-api/reset-auth", "POST", b"0")
    try:
        with pytest.raises(PlaceError, match=r"refused \(.*\)\. Check the credentials") as caught:
            reached(str(bucket))
    finally:
        ask(f"{server.url}/moto-api/reset-auth", "POST", b"inf")
    assert "geheim" not in str(caught.value)


def test_without_s3fs_the_package_to_install_is_named(account):
    account.setitem(sys.modules, "s3fs", None)
    with pytest.raises(PlaceError, match=r"needs the package s3fs; pip install 'lookalike\[s3\]'"):
        reached("s3://shelf/x")


def test_a_server_that_goes_away_is_never_taken_for_an_empty_one(account, s3_server):
    with s3_server() as going:
        ask(f"{going.url}/shelf")
        account.setenv("AWS_ENDPOINT_URL", going.url)
        root = reached("s3://shelf/x")
    for question in (
        *(root.is_file, root.is_dir, root.sizes, root.iterdir, root.read_bytes, root.unlink),
        lambda: pictures.keep(root, BOOT),
        lambda: pictures.is_here(root, products(1)[0].views[0]),
        lambda: versions.find("shoes", root),
    ):
        with pytest.raises(PlaceError, match="nobody answers"):
            question()
    assert "nobody answers" in files.obstacle(root)
