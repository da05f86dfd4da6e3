import os

import pytest

from lookalike.catalog import clean
from lookalike.catalog.adapters import folders
from lookalike.catalog.images import decode
from lookalike.catalog.product import RowError
from lookalike.settings import DataError


def told(source, **options):
    return {
        row.picture: {name: value for name, value in row.fields.items() if value}
        for row in folders.rows(source, **options)
    }


def test_a_folder_is_a_product_and_its_pictures_are_views_of_it(tmp_path, draw):
    data = draw(tmp_path / "anna" / "1.jpg")
    for name in ("anna/2.jpg", "bea/1.jpg"):
        draw(tmp_path / name)
    assert told(tmp_path) == {
        "anna/1.jpg": {"product": "anna", "name": "anna"},
        "anna/2.jpg": {"product": "anna", "name": "anna"},
        "bea/1.jpg": {"product": "bea", "name": "bea"},
    }
    first = next(folders.rows(tmp_path))
    assert first.where == "anna/1.jpg"
    assert first.read() == data
    assert decode(data).shape == (6, 8, 3)


def test_folders_above_the_product_are_its_category_and_keep_namesakes_apart(tmp_path, draw):
    for name in ("boots/anna/1.jpg", "sandals/anna/1.jpg", "shoes/flats/cara/1.jpg"):
        draw(tmp_path / name)
    assert told(tmp_path) == {
        "boots/anna/1.jpg": {"product": "boots/anna", "name": "anna", "category": "boots"},
        "sandals/anna/1.jpg": {"product": "sandals/anna", "name": "anna", "category": "sandals"},
        "shoes/flats/cara/1.jpg": {"product": "shoes/flats/cara", "name": "cara", "category": "shoes > flats"},
    }


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("category", {"category": "boots > ankle"}),
        ("style", {"style": "boots/ankle", "category": "boots"}),
        ("brand", {"brand": "ankle", "category": "boots"}),
    ],
)
def test_in_a_folder_of_a_class_every_picture_is_a_product_of_its_own(tmp_path, draw, of, expected):
    draw(tmp_path / "boots" / "ankle" / "1.jpg")
    draw(tmp_path / "boots" / "ankle" / "1.png")
    assert told(tmp_path, of=of) == {
        "boots/ankle/1.jpg": {"product": "boots/ankle/1.jpg", **expected},
        "boots/ankle/1.png": {"product": "boots/ankle/1.png", **expected},
    }


def test_train_val_and_test_folders_are_the_split_and_one_product_may_lie_in_two(tmp_path, draw):
    for name in ("train/anna/1.jpg", "test/anna/2.jpg", "val/bea/1.jpg"):
        draw(tmp_path / name)
    assert told(tmp_path) == {
        "test/anna/2.jpg": {"product": "anna", "name": "anna", "split": "test"},
        "train/anna/1.jpg": {"product": "anna", "name": "anna", "split": "train"},
        "val/bea/1.jpg": {"product": "bea", "name": "bea", "split": "val"},
    }
    assert {clean.read_view(row.fields).split for row in folders.rows(tmp_path)} == {"train", "val", "test"}


def test_a_folder_called_test_among_others_is_a_product(tmp_path, draw):
    draw(tmp_path / "test" / "1.jpg")
    draw(tmp_path / "anna" / "1.jpg")
    assert told(tmp_path)["test/1.jpg"] == {"product": "test", "name": "test"}


def test_hidden_and_text_files_are_ignored_and_what_may_be_a_picture_is_left_to_the_decoder(tmp_path, draw):
    for name in ("anna/.DS_Store", "anna/notes.txt", ".cache/1.jpg", "anna/1.jpg"):
        draw(tmp_path / name)
    (tmp_path / "anna" / "scan.heic").write_bytes(b"no picture that we read")
    assert list(told(tmp_path)) == ["anna/1.jpg", "anna/scan.heic"]


@pytest.mark.parametrize("of", ["product", "category", "style", "brand"])
@pytest.mark.parametrize("beside", ["anna", "train"])
def test_a_picture_in_no_folder_is_set_aside_not_lost(tmp_path, draw, of, beside):
    draw(tmp_path / "stray.jpg")
    draw(tmp_path / beside / "1.jpg")
    stray = next(row for row in folders.rows(tmp_path, of=of) if row.picture == "stray.jpg")
    assert clean.read_fields(stray.fields).product
    with pytest.raises(RowError, match=f"no folder that would tell its {of}") as wrong:
        stray.read()
    assert wrong.value.reason == "no_folder"


def test_folders_named_in_no_text_encoding_stay_apart_and_are_read(tmp_path, draw):
    for name in (b"caf\xe9", b"caf\xe8"):
        draw(tmp_path / os.fsdecode(name) / "1.jpg")
    first, second = folders.rows(tmp_path)
    assert {first.fields["product"], second.fields["product"]} == {"caf\\udce8", "caf\\udce9"}
    assert first.read() != second.read()
    assert first.picture.encode("utf-8")


def test_a_folder_with_nothing_in_it_a_missing_one_and_a_file_are_refused(tmp_path):
    (tmp_path / "shoes").mkdir()
    (tmp_path / "shoes" / "readme.txt").write_text("none yet")
    with pytest.raises(DataError, match="no pictures in it"):
        list(folders.rows(tmp_path / "shoes"))
    with pytest.raises(DataError, match="Did you mean 'shoes'"):
        list(folders.rows(tmp_path / "shoe"))
    with pytest.raises(DataError, match="is a file; give the folder"):
        list(folders.rows(tmp_path / "shoes" / "readme.txt"))
