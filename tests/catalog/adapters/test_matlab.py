"""The reader of Matlab files against scipy's writer, and against files that were tampered with."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from lookalike.catalog.adapters import matlab

PATHS = ["Shoes/Oxfords/Bostonian/100627.72.jpg", "", "Shoes/Heels/Größe €/1.jpg"]


def cells(*strings):
    """A Matlab cell array of N x 1 strings."""
    held = np.empty((len(strings), 1), dtype=object)
    held[:, 0] = strings
    return held


def saved(packed=False, **arrays):
    file = io.BytesIO()
    savemat(file, arrays, do_compression=packed)
    return file.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_cell_arrays_are_read_and_the_others_are_named(packed):
    data = saved(packed, first=1.0, imagepath=cells(*PATHS), text="a", inner={"a": 1}, last=cells("b"))
    assert matlab.cell_arrays(data) == {"first": [], "imagepath": PATHS, "text": [], "inner": [], "last": ["b"]}


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)), st.booleans())
def test_whatever_scipy_writes_is_read_back(strings, packed):
    assert matlab.cell_arrays(saved(packed, paths=cells(*strings))) == {"paths": strings}


def test_letters_of_two_bytes_as_matlab_5_wrote_them_are_read():
    data = saved(paths=cells("abc"))
    utf_8, two_bytes = struct.pack("<HH3sx", 16, 3, b"abc"), struct.pack("<II6s2x", 4, 6, "abc".encode("utf-16-le"))
    grown = data.replace(utf_8, two_bytes)
    for length in (128 + 4, grown.rindex(two_bytes) - 44):  # of the cell array, and of its one cell: 8 bytes more
        (told,) = struct.unpack_from("<I", grown, length)
        grown = grown[:length] + struct.pack("<I", told + 8) + grown[length + 4 :]
    assert matlab.cell_arrays(grown) == {"paths": ["abc"]}


@pytest.mark.parametrize("other", [cells(1.0), cells(np.array(["ab", "cd"])), cells(cells("nested"))])
def test_a_cell_that_is_no_line_of_text_is_refused(other):
    with pytest.raises(ValueError, match="one of its cells is not a line of text"):
        matlab.cell_arrays(saved(paths=other))


@pytest.mark.parametrize("cut", [1, 8, 100])
def test_a_file_that_breaks_off_is_refused(cut):
    with pytest.raises(ValueError, match="breaks off|runs past the end|cut short"):
        matlab.cell_arrays(saved(paths=cells(*PATHS))[:-cut])
    with pytest.raises(ValueError, match="cut short|runs past the end"):
        matlab.cell_arrays(saved(packed=True, paths=cells(*PATHS))[:-cut])


def test_a_bomb_is_left_packed():
    bomb = zlib.compress(bytes(200 * 2**20), 9)
    data = saved(paths=cells("a"))[:128] + struct.pack("<II", 15, len(bomb)) + bomb
    with pytest.raises(ValueError, match="unpacks to more than 67,108,864 bytes"):
        matlab.cell_arrays(data)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans())
def test_whatever_was_altered_the_answer_is_strings_or_an_error(data, packed):
    file = bytearray(saved(packed, imagepath=cells(*PATHS), other=np.eye(3)))
    places = st.tuples(st.integers(0, len(file) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=6)):
        file[place] = value
    try:
        held = matlab.cell_arrays(bytes(file))
    except ValueError:
        held = {}
    assert all(isinstance(one, str) for name, strings in held.items() for one in [name, *strings])
