import os
import socket

import pytest

from lookalike.catalog.adapters import local
from lookalike.catalog.images import LIMITS
from lookalike.catalog.product import RowError
from lookalike.settings import DataError


def reason(folder, name):
    with pytest.raises(RowError) as wrong:
        local.picture(folder, name)
    return wrong.value.reason


def test_a_picture_inside_the_folder_is_read(tmp_path, draw):
    data = draw(tmp_path / "in" / "a.jpg")
    assert local.picture(tmp_path, "in/a.jpg") == data
    assert local.picture(tmp_path, "./in/../in/a.jpg") == data
    assert local.picture(tmp_path, "in\\a.jpg") == data  # as Windows writes it
    assert local.picture(tmp_path, str(tmp_path / "in" / "a.jpg")) == data


@pytest.mark.parametrize("name", ["../secret.jpg", "in/../../secret.jpg", "/etc/hostname", "..", "..\\secret.jpg"])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path, draw, name):
    draw(tmp_path / "secret.jpg")
    (tmp_path / "data" / "in").mkdir(parents=True)
    assert reason(tmp_path / "data", name) == "outside"


def test_a_link_that_leads_out_of_the_folder_is_refused_and_one_that_stays_is_followed(tmp_path, draw):
    draw(tmp_path / "secret.jpg")
    data = draw(tmp_path / "data" / "a.jpg")
    (tmp_path / "data" / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "data" / "up").symlink_to(tmp_path)
    (tmp_path / "data" / "b.jpg").symlink_to("a.jpg")
    assert reason(tmp_path / "data", "out.jpg") == "outside"
    assert reason(tmp_path / "data", "up/secret.jpg") == "outside"
    assert local.picture(tmp_path / "data", "b.jpg") == data


def test_the_folder_itself_may_be_reached_by_a_link(tmp_path, draw):
    data = draw(tmp_path / "real" / "a.jpg")
    (tmp_path / "link").symlink_to("real")
    assert local.picture(tmp_path / "link", "a.jpg") == data


def test_a_picture_that_is_not_there_is_missing(tmp_path, draw):
    draw(tmp_path / "a.jpg")
    assert reason(tmp_path, "b.jpg") == "missing"
    assert reason(tmp_path, "a.jpg/b.jpg") == "missing"


def test_no_name_and_an_address_are_told_apart(tmp_path):
    assert reason(tmp_path, " ") == "no_picture"
    assert reason(tmp_path, "https://shop.example/a.jpg") == "url"
    with pytest.raises(RowError, match="adapter=feed"):
        local.picture(tmp_path, "http://shop.example/a.jpg")


def test_what_is_no_usable_path_is_unreadable(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert reason(tmp_path, "a\0.jpg") == "unreadable"
    assert reason(tmp_path, "loop") == "unreadable"
    assert reason(tmp_path, "a" * 5000) == "unreadable"


def test_a_folder_a_pipe_and_a_socket_are_no_pictures_and_nobody_waits_for_them(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason(tmp_path, "folder.jpg") == "not_a_file"
    assert reason(tmp_path, "pipe.jpg") == "not_a_file"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.jpg"))
        assert reason(tmp_path, "s.jpg") == "unreadable"


def test_a_file_with_more_bytes_than_a_picture_may_have_is_not_read(tmp_path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(10 * 2**30)  # sparse: it takes no disk
    with (tmp_path / "brim.jpg").open("wb") as file:
        file.truncate(LIMITS.bytes)
    assert reason(tmp_path, "huge.jpg") == "too_many_bytes"
    assert len(local.picture(tmp_path, "brim.jpg")) == LIMITS.bytes


def test_files_that_are_clearly_no_pictures_are_left_out_and_the_rest_is_for_the_decoder(tmp_path, draw):
    for name in ("b/2.JPG", "b/1.jpg", "a/x.webp", "c"):
        draw(tmp_path / name)
    for name in (".DS_Store", "b/._1.jpg", "b/notes.txt", ".git/x.jpg", "__MACOSX/1.jpg", "Thumbs.db"):
        draw(tmp_path / name)
    (tmp_path / "d").symlink_to("b")
    assert list(local.pictures(tmp_path)) == ["c", "d", "a/x.webp", "b/1.jpg", "b/2.JPG"]
    assert reason(tmp_path, "d") == "not_a_file"


def test_a_missing_file_is_named_with_its_likely_neighbour(tmp_path):
    (tmp_path / "catalog.csv").write_text("x")
    with pytest.raises(DataError, match=r"catalogue.csv: there is no such file.*Did you mean 'catalog.csv'\?"):
        local.a_file(tmp_path / "catalogue.csv", "a table")
    with pytest.raises(DataError, match=r"has no 'dta'"):
        local.a_file(tmp_path / "dta" / "deep" / "catalog.csv", "a table")


def test_a_folder_where_a_file_is_wanted_names_the_file_in_it(tmp_path):
    (tmp_path / "catalog.csv").write_text("x")
    with pytest.raises(DataError, match=r"is a folder, not a table\. Did you mean '.*catalog.csv'\?"):
        local.a_file(tmp_path, "a table")


def test_an_empty_file_a_pipe_and_a_file_for_a_folder_are_refused(tmp_path):
    (tmp_path / "empty.csv").touch()
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="is empty"):
        local.a_file(tmp_path / "empty.csv", "a table")
    with pytest.raises(DataError, match="a pipe or a device"):
        local.a_file(tmp_path / "pipe.csv", "a table")
    with pytest.raises(DataError, match=f"is a file; give the folder.*{tmp_path}"):
        local.a_folder(tmp_path / "empty.csv", "the one with pictures")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding):
    (tmp_path / "a.csv").write_text("Schnürstiefel\nzł\n", encoding=encoding)
    assert list(local.lines(tmp_path / "a.csv")) == ["Schnürstiefel\n", "zł\n"]


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"PK\x03\x04\x00\x00\x00")
    with pytest.raises(DataError, match="is not text"):
        list(local.lines(tmp_path / "a.csv"))
    (tmp_path / "b.csv").write_bytes(b"\xff\xfea")
    with pytest.raises(DataError, match="is not utf-16 "):
        list(local.lines(tmp_path / "b.csv"))
    with pytest.raises(DataError, match="'utf-9' is no encoding"):
        list(local.lines(tmp_path / "a.csv", encoding="utf-9"))


def test_one_line_in_another_encoding_spoils_no_other(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"gut\n" + "schön\n".encode("cp1252") + b"gut\n")
    assert [local.legible(line) for line in local.lines(tmp_path / "a.csv")] == [True, False, True]
    assert list(local.lines(tmp_path / "a.csv", encoding="cp1252")) == ["gut\n", "schön\n", "gut\n"]


def test_a_file_without_line_ends_comes_in_pieces(tmp_path):
    (tmp_path / "a.csv").write_text("x" * (local.LONGEST_LINE + 5))
    assert [len(line) for line in local.lines(tmp_path / "a.csv")] == [local.LONGEST_LINE, 5]


def test_a_list_gives_its_whole_lines_and_none_for_a_broken_one(tmp_path):
    (tmp_path / "list.txt").write_text("3\nname color\na.jpg   dark red \n\nb.jpg\n")
    rows = local.table(tmp_path / "list.txt", ("name", "color"), header_line=2)
    assert list(rows) == [(3, {"name": "a.jpg", "color": "dark red"}), (5, None)]


def test_a_list_with_another_header_is_refused(tmp_path):
    (tmp_path / "list.txt").write_text("name,color\na.jpg,red\n")
    with pytest.raises(DataError, match="line 1 should be 'name color' \\(it is 'name,color'\\)"):
        list(local.table(tmp_path / "list.txt", ("name", "color"), header_line=1))


def test_a_name_whose_bytes_are_no_text_is_read_and_can_be_shown(tmp_path, draw):
    name = os.fsdecode(b"gr\xfcn.jpg")
    data = draw(tmp_path / name)
    assert list(local.pictures(tmp_path)) == [name]
    assert local.picture(tmp_path, name) == data
    assert local.shown(name) == "gr\\udcfcn.jpg"
    assert local.shown("grün.jpg") == "grün.jpg"


def test_a_folder_that_vanishes_while_it_is_walked_is_told_of(tmp_path, draw):
    draw(tmp_path / "a.jpg")
    draw(tmp_path / "b" / "1.jpg")
    found = local.pictures(tmp_path)
    assert next(found) == "a.jpg"
    (tmp_path / "b" / "1.jpg").unlink()
    (tmp_path / "b").rmdir()
    with pytest.raises(DataError, match="b: cannot be read"):
        list(found)
