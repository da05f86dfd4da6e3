import pytest

from lookalike.catalog import clean
from lookalike.catalog.adapters import inshop
from lookalike.catalog.images import decode
from lookalike.catalog.product import RowError
from lookalike.settings import DataError

# Padded with blanks to columns, as the official file is.
PARTITION = """6
image_name item_id evaluation_status
img/WOMEN/Dresses/id_00000002/02_1_front.jpg                           id_00000002 train
img/WOMEN/Dresses/id_00000002/02_2_side.jpg                            id_00000002 train
img/WOMEN/Blouses_Shirts/id_00000001/02_1_front.jpg                    id_00000001 query
img/WOMEN/Blouses_Shirts/id_00000001/02_3_back.jpg                     id_00000001 gallery
img/WOMEN/Blouses_Shirts/id_00000001/03_7_additional.jpg               id_00000001 gallery
img/MEN/Denim/id_00000080/01_4_full.jpg                                id_00000080 gallery
"""
COLORS = """6
image_name clothes_color
img/WOMEN/Dresses/id_00000002/02_1_front.jpg                           Cream
img/WOMEN/Dresses/id_00000002/02_2_side.jpg                            Cream
img/WOMEN/Blouses_Shirts/id_00000001/02_1_front.jpg                    Heather grey
img/WOMEN/Blouses_Shirts/id_00000001/02_3_back.jpg                     Heather grey
img/WOMEN/Blouses_Shirts/id_00000001/03_7_additional.jpg               Black
"""


@pytest.fixture
def official(tmp_path, draw):
    """The official folders, with six pictures."""
    for line in PARTITION.splitlines()[2:]:
        draw(tmp_path / "Img" / line.split()[0])
    for name, content in (
        ("Eval/list_eval_partition.txt", PARTITION),
        ("Anno/attributes/list_color_cloth.txt", COLORS),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_the_item_is_the_product_and_query_and_gallery_are_the_test(official):
    found = list(inshop.rows(official))
    views = [clean.read_view(row.fields) for row in found]
    assert [
        (row.fields["product"], view.split, view.role, view.view) for row, view in zip(found, views, strict=True)
    ] == [
        ("id_00000002", "train", "both", "front"),
        ("id_00000002", "train", "both", "side"),
        ("id_00000001", "test", "query", "front"),
        ("id_00000001", "test", "gallery", "back"),
        ("id_00000001", "test", "gallery", "additional"),
        ("id_00000080", "test", "gallery", "full"),
    ]
    assert found[0].where == "list_eval_partition.txt, line 3"
    assert all(decode(row.read()).shape == (6, 8, 3) for row in found)


def test_what_is_told_of_an_item_is_true_of_all_its_pictures(official):
    rows = [row for row in inshop.rows(official) if row.fields["product"] == "id_00000001"]
    told = {
        (row.fields["color_group"], row.fields["color"], row.fields["category"], row.fields["gender"]) for row in rows
    }
    assert told == {("02;03", "Black;Heather grey", "Blouses_Shirts", "WOMEN")}


def test_with_colorways_each_color_of_an_item_is_a_product_and_the_item_its_style(official):
    found = [row.fields for row in inshop.rows(official, colorways=True)]
    assert [(one["product"], one["style"], one["color_group"], one["color"]) for one in found[2:]] == [
        ("id_00000001/02", "id_00000001", "02", "Heather grey"),
        ("id_00000001/02", "id_00000001", "02", "Heather grey"),
        ("id_00000001/03", "id_00000001", "03", "Black"),
        ("id_00000080/01", "id_00000080", "01", ""),
    ]


def test_the_colors_may_lie_in_anno_or_be_absent(official):
    colors = official / "Anno" / "attributes" / "list_color_cloth.txt"
    colors.rename(official / "Anno" / "list_color_cloth.txt")
    assert next(inshop.rows(official)).fields["color"] == "Cream"
    (official / "Anno" / "list_color_cloth.txt").unlink()
    assert next(inshop.rows(official)).fields["color"] == ""


@pytest.mark.parametrize("unpacked", ["img", "img/img", "Img"])
def test_the_pictures_may_be_unpacked_in_several_places(official, unpacked):
    kept = official / "Img" / "img"
    kept.rename(official / "kept")
    kept.parent.rmdir()
    (official / unpacked).parent.mkdir(exist_ok=True)
    (official / "kept").rename(official / unpacked)
    assert all(row.read() for row in inshop.rows(official))


def test_an_unknown_status_a_broken_line_and_a_missing_picture_are_set_aside_not_lost(official):
    extra = "img/MEN/Denim/id_00000080/01_1_front.jpg id_00000080 val\nid_00000080\nimg/MEN/gone.jpg id_9 train\n"
    (official / "Eval" / "list_eval_partition.txt").write_text(PARTITION + extra)
    *_, unknown, broken, gone = inshop.rows(official)
    for row, reason in ((unknown, "bad_split"), (broken, "malformed"), (gone, "missing")):
        with pytest.raises(RowError) as wrong:
            row.read()
        assert wrong.value.reason == reason


def test_a_folder_without_the_list_or_the_pictures_is_refused_with_what_is_wanted(official):
    (official / "Img").rename(official / "Pictures")
    with pytest.raises(DataError, match=r"holds no folder Img or img; unpack img\.zip"):
        list(inshop.rows(official))
    (official / "Eval" / "list_eval_partition.txt").unlink()
    with pytest.raises(DataError, match=r"list_eval_partition\.txt: there is no such file"):
        list(inshop.rows(official))
