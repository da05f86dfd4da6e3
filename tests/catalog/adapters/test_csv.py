import csv as standard
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.catalog.adapters import csv
from lookalike.catalog.images import decode
from lookalike.catalog.product import RowError
from lookalike.settings import DataError

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def table(tmp_path, draw):
    """Writes catalog.csv beside two pictures, a.jpg and b.jpg."""
    draw(tmp_path / "a.jpg")
    draw(tmp_path / "b.jpg")

    def write(content, **encoding):
        path = tmp_path / "catalog.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(**encoding))
        return path

    return write


def refused(row):
    with pytest.raises(RowError) as wrong:
        row.read()
    return wrong.value.reason, str(wrong.value)


def test_a_row_is_a_picture_and_what_is_told_of_it(table):
    source = table("image,product,split,Heel\na.jpg,anna,test,2in\nb.jpg,bea,,\n")
    first, second = csv.rows(source)
    assert (first.where, first.picture) == ("catalog.csv, line 2", "a.jpg")
    assert first.fields == {"product": "anna", "split": "test", "Heel": "2in"}
    assert decode(first.read()).shape == (6, 8, 3)
    assert second.read() == (source.parent / "b.jpg").read_bytes() != first.read()


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spreadsheets_of_every_country_are_read(table, mark, encoding, end):
    content = end.join(
        mark.join(row) for row in [("image", "product", "color"), ("a.jpg", "1", "grün"), ("b.jpg", "2", "")]
    )
    found = list(csv.rows(table(content, encoding=encoding)))
    assert [(row.picture, row.fields) for row in found] == [
        ("a.jpg", {"product": "1", "color": "grün"}),
        ("b.jpg", {"product": "2", "color": ""}),
    ]


def test_known_columns_are_known_in_any_case_and_columns_without_a_name_by_their_place(table):
    (row,) = csv.rows(table(" Image ,PRODUCT,Season,\na.jpg,1,Fall,x\n"))
    assert row.fields == {"product": "1", "Season": "Fall", "column 4": "x"}


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends(table):
    first, second = csv.rows(table('image,product,name\na.jpg,1,"Titan, 6"" \nBoot"\nb.jpg,2,x\n'))
    assert first.fields["name"] == 'Titan, 6" \nBoot'
    assert (second.where, second.picture) == ("catalog.csv, line 4", "b.jpg")


def test_a_quote_that_is_never_closed_costs_its_own_row_only(table):
    first, broken, last = csv.rows(table('image,product,name\na.jpg,1,x\nb.jpg,2,"Titan 6\na.jpg,3,y\n'))
    assert (first.fields["product"], last.fields["product"]) == ("1", "3")
    assert (broken.where, broken.picture, broken.fields["product"]) == ("catalog.csv, line 3", "b.jpg", "2")
    assert refused(broken)[0] == "malformed"
    assert last.read()


def test_many_quotes_that_are_never_closed_are_each_one_row(table):
    content = "image,product,name\n" + 'a.jpg,1,"open\na.jpg,2,fine\n' * 200
    started = time.process_time()
    found = list(csv.rows(table(content)))
    assert len(found) == 400
    assert sum(row.fields["name"] == "fine" for row in found) == 200
    assert time.process_time() - started < 5


def test_a_cell_too_long_to_be_one_is_one_broken_row(table):
    long, fine = csv.rows(table("image,product\na.jpg," + "x" * 200_000 + "\nb.jpg,2\n"))
    assert (refused(long)[0], fine.fields) == ("malformed", {"product": "2"})
    with pytest.raises(DataError, match="no column 'image'"):
        list(csv.rows(table("x" * 200_000)))


def test_a_row_that_is_too_short_or_too_long_is_set_aside_not_lost(table):
    short, long, whole = csv.rows(table("image,product,color\na.jpg,1\na.jpg,2,red,wool\n\nb.jpg,3,red\n"))
    assert refused(short) == (
        "malformed",
        "has 2 values where the header names 3 columns; quote values that hold the delimiter, and keep empty ones",
    )
    assert (refused(long)[0], long.fields["product"]) == ("malformed", "2")
    assert (whole.where, whole.fields["product"]) == ("catalog.csv, line 5", "3")


def test_a_row_in_another_encoding_is_set_aside_and_can_be_shown(table):
    content = b"image,product,color\na.jpg,1,gr\xfcn\nb.jpg,2,red\n"
    bad, good = csv.rows(table(content))
    reason, text = refused(bad)
    assert (reason, bad.fields["color"]) == ("not_text", "gr\\udcfcn")
    assert "encoding=cp1252" in text
    assert good.read()
    assert [row.fields["color"] for row in csv.rows(table(content), encoding="cp1252")] == ["grün", "red"]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",1,", "no_picture"),
        ("../a.jpg,1,", "outside"),
        ("/etc/hostname,1,", "outside"),
        ("c.jpg,1,", "missing"),
        ("https://shop.example/a.jpg,1,", "url"),
        ("pipe.jpg,1,", "not_a_file"),
    ],
)
def test_a_row_whose_picture_cannot_be_had_says_why(table, cells, reason):
    source = table(f"image,product,split\n{cells}\nb.jpg,2,val\n")
    os.mkfifo(source.parent / "pipe.jpg")
    bad, good = csv.rows(source)
    assert refused(bad)[0] == reason
    assert good.read()


def test_a_missing_column_is_named_with_those_there_are(table):
    with pytest.raises(
        DataError, match=r"no column 'image'\. Did you mean 'images'\? \(line 1 names img_path, product, images\)"
    ):
        list(csv.rows(table("img_path,product,images\na.jpg,1,x\n")))
    with pytest.raises(
        DataError, match=r"no column 'product'\. Did you mean 'Product_ID'\? \(line 1 names image, Product_ID\)"
    ):
        list(csv.rows(table("image,Product_ID\na.jpg,1\n")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("image,product\n", "has a header and no rows"),
        ("image,product\n\n\n", "has a header and no rows"),
        ("\n\n", "no column 'image'"),
        ("image,product,color,Product\na.jpg,1,x,2\n", "more than one column 'product'"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is not text"),
    ],
)
def test_a_file_that_is_no_table_is_refused_whole(table, content, message):
    with pytest.raises(DataError, match=message):
        list(csv.rows(table(content)))


def test_no_file_and_a_folder_are_refused_with_the_file_that_was_meant(table):
    source = table("image,product\na.jpg,1\n")
    with pytest.raises(DataError, match=r"Did you mean 'catalog\.csv'\?"):
        list(csv.rows(source.with_name("katalog.csv")))
    with pytest.raises(DataError, match=r"is a folder.*Did you mean '.*catalog\.csv'\?"):
        list(csv.rows(source.parent))


def test_a_delimiter_can_be_given(table):
    (row,) = csv.rows(table("image:product:a,b,c,d\na.jpg:1:x\n"), delimiter=":")
    assert row.fields == {"product": "1", "a,b,c,d": "x"}
    with pytest.raises(DataError, match="give one character"):
        list(csv.rows(table("image,product\na.jpg,1\n"), delimiter=",,"))


def test_nothing_is_read_before_it_is_asked_for(table):
    source = table("image,product\n" + "gone.jpg,1\n" * 3)
    found = csv.rows(source)
    assert next(found).picture == "gone.jpg"
    (source.parent / "gone.jpg").write_bytes(b"late")
    assert next(found).read() == b"late"


CELL = st.text(alphabet='ab,;"\n\r\t| é', max_size=8)


@settings(deadline=None)
@given(cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), mark=st.sampled_from(",;|\t"))
def test_whatever_a_spreadsheet_writes_is_read_back(tmp_path_factory, cells, mark):
    source = tmp_path_factory.mktemp("t") / "catalog.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        writer = standard.writer(file, delimiter=mark)
        writer.writerow(["image", "product", "name", "color"])
        writer.writerows(["a.jpg", "1", *pair] for pair in cells)
    found = [(row.fields["name"], row.fields["color"]) for row in csv.rows(source)]
    assert found == cells


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "pictures"),
    [("sneaker_styles", 1959), ("zappos_views", 1401), ("fashion_categories", 1590), ("farfetch_bags", 60)],
)
def test_every_row_of_the_real_tables_has_its_picture(folder, pictures):
    if not (DATA / folder).is_dir():
        pytest.skip("the real photographs are not beside the checkout")
    found = list(csv.rows(DATA / folder / "catalog.csv"))
    assert len(found) == pictures
    assert all(row.read().startswith(b"\xff\xd8") and row.fields["product"] for row in found)


def test_both_missing_columns_are_named_at_once(table):
    with pytest.raises(
        DataError, match=r"no column 'image'.* no column 'product'.*Rename columns to image and product"
    ):
        list(csv.rows(table("img,id\na.jpg,1\n")))
