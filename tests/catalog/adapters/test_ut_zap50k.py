import numpy as np
import pytest
from scipy.io import savemat

from lookalike.catalog import clean
from lookalike.catalog.adapters import ut_zap50k
from lookalike.catalog.images import decode
from lookalike.catalog.product import RowError
from lookalike.settings import DataError

# As the authors list them; on disk the brand folders of the last three are spelt otherwise.
LISTED = [
    "Shoes/Oxfords/Bostonian/100627.72.jpg",
    "Shoes/Oxfords/Bostonian/100627.255.jpg",
    "Boots/Mid-Calf/Aquatalia by Marvin K./7515478.3.jpg",
    "Shoes/Heels/Neil M/7600000.9.jpg",
    "Shoes/Sneakers and Athletic Shoes/Levi's/7700000.1.jpg",
]
ON_DISK = [
    LISTED[0],
    LISTED[1],
    "Boots/Mid-Calf/Aquatalia by Marvin K%2E/7515478.3.jpg",
    "Shoes/Heels/Neil M%2E/7600000.9.jpg",
    "Shoes/Sneakers and Athletic Shoes/Levi's&#174;/7700000.1.jpg",
]
META = """CID,Category,SubCategory,HeelHeight,Insole,Closure,Gender,Material,ToeStyle
100627-72,Shoes,Oxfords,,,Lace up,Men,Leather,
100627-255,Shoes,Oxfords,,,Lace up,Men,Leather,
7515478-3,Boots,Mid-Calf,2in - 2 3/4in,,Zipper,Women,Suede;Rubber,Round Toe
7600000-9,Shoes,Heels,High heel,Padded,Slip-On,Women,,Pointed Toe
7700000-1,Shoes,Sneakers and Athletic Shoes,,,,Boys;Girls,Canvas,
"""


def cell_array(paths):
    """A Matlab cell array of N x 1 strings, as image-path.mat holds one."""
    cells = np.empty((len(paths), 1), dtype=object)
    cells[:, 0] = paths
    return {"imagepath": cells}


@pytest.fixture
def official(tmp_path, draw):
    """The official folders, with five shoes."""
    for path in ON_DISK:
        draw(tmp_path / "ut-zap50k-images" / path)
    data = tmp_path / "ut-zap50k-data"
    data.mkdir()
    savemat(data / "image-path.mat", cell_array(LISTED))
    (data / "meta-data.csv").write_text(META)
    (data / "readme.txt").write_text("UT Zappos50K")
    return tmp_path


def test_a_shoe_is_a_style_in_a_color_with_what_zappos_told_of_it(official):
    first, second, third, *_ = ut_zap50k.rows(official)
    assert (first.where, first.picture) == ("image-path.mat, entry 1", LISTED[0])
    product = clean.read_fields(first.fields, shop="zappos")
    assert (product.key, product.style, product.brand) == ("zappos:100627-72", "100627", "Bostonian")
    assert (product.category, product.attributes) == (
        "Shoes",
        {"subcategory": "Oxfords", "closure": "Lace up", "gender": "Men", "material": "Leather"},
    )
    assert (second.fields["product"], second.fields["style"]) == ("100627-255", "100627")
    assert clean.read_fields(third.fields).attributes == {
        "subcategory": "Mid-Calf",
        "heel_height": "2in - 2 3/4in",
        "closure": "Zipper",
        "gender": "Women",
        "material": "Suede;Rubber",
        "toe_style": "Round Toe",
    }


def test_every_listed_picture_is_found_though_its_brand_is_spelt_otherwise_on_disk(official):
    found = list(ut_zap50k.rows(official))
    assert [row.picture for row in found] == ON_DISK
    assert all(decode(row.read()).shape == (6, 8, 3) for row in found)
    assert [row.fields["brand"] for row in found[2:]] == ["Aquatalia by Marvin K.", "Neil M", "Levi's"]


def test_without_the_matlab_file_the_table_lists_the_shoes(official):
    (official / "ut-zap50k-data" / "image-path.mat").unlink()
    found = list(ut_zap50k.rows(official))
    assert [row.where for row in found] == [f"meta-data.csv, line {number}" for number in range(2, 7)]
    assert [row.picture for row in found] == ON_DISK
    brands = [clean.read_fields(row.fields).brand for row in found]
    assert brands == ["Bostonian", "Bostonian", "Aquatalia by Marvin K.", "Neil M.", "Levi's®"]


def test_the_tree_itself_may_be_given_with_its_data_beside_or_inside_it(official):
    tree = official / "ut-zap50k-images"
    told = [(row.where, row.picture, row.fields) for row in ut_zap50k.rows(official)]
    assert [(row.where, row.picture, row.fields) for row in ut_zap50k.rows(tree)] == told
    (official / "ut-zap50k-data").rename(tree / "ut-zap50k-data")
    assert [(row.where, row.picture, row.fields) for row in ut_zap50k.rows(tree)] == told


def test_the_tree_alone_tells_category_brand_and_style(tmp_path, draw):
    draw(tmp_path / LISTED[0])
    (row,) = ut_zap50k.rows(tmp_path)
    assert row.where == LISTED[0]
    assert row.fields == {
        "product": "100627-72",
        "style": "100627",
        "category": "Shoes",
        "subcategory": "Oxfords",
        "brand": "Bostonian",
    }


def test_the_squares_are_taken_where_asked_for_or_alone(official, draw):
    square = draw(official / "ut-zap50k-images-square" / LISTED[0])
    assert next(ut_zap50k.rows(official, square=True)).read() == square
    assert next(ut_zap50k.rows(official)).read() != square


def test_a_listed_picture_that_is_not_on_disk_is_missing_and_counted(official):
    (official / "ut-zap50k-images" / LISTED[1]).unlink()
    found = list(ut_zap50k.rows(official))
    assert len(found) == 5
    with pytest.raises(RowError, match=r"100627\.255\.jpg") as wrong:
        found[1].read()
    assert wrong.value.reason == "missing"


def test_a_matlab_file_that_is_none_or_another_is_refused_with_the_mend(official):
    mat = official / "ut-zap50k-data" / "image-path.mat"
    for broken in (b"<html>not found</html>", b"", mat.read_bytes()[:200], mat.read_bytes()[:-8]):
        mat.write_bytes(broken)
        with pytest.raises(DataError, match=r"cannot be read as a Matlab file .*fetch ut-zap50k-data anew"):
            list(ut_zap50k.rows(official))
    savemat(mat, {"zappos": 1.0})
    with pytest.raises(DataError, match=r"holds no 'imagepath' \(it holds zappos\)"):
        list(ut_zap50k.rows(official))
    savemat(mat, {"imagepath": np.eye(2)})
    with pytest.raises(DataError, match=r"holds no 'imagepath' \(it holds imagepath\)"):
        list(ut_zap50k.rows(official))


def test_a_table_without_ids_and_a_folder_without_shoes_are_refused(official, tmp_path_factory):
    (official / "ut-zap50k-data" / "meta-data.csv").write_text("Category,SubCategory\nShoes,Oxfords\n")
    with pytest.raises(DataError, match="no column CID"):
        list(ut_zap50k.rows(official))
    with pytest.raises(DataError, match="neither ut-zap50k-images nor ut-zap50k-images-square is in it"):
        list(ut_zap50k.rows(tmp_path_factory.mktemp("empty")))
