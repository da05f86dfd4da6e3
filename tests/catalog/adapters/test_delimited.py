from itertools import repeat

import pytest

from lookalike.catalog.adapters.delimited import delimiter_of, records


def read(text, width=3):
    return [(one.line, one.values, bool(one.wrong)) for one in records(iter(text.splitlines(True)), ",", width=width)]


@pytest.mark.parametrize(
    ("header", "mark"), [("a,b;c,d", ","), ("a;b,c;d", ";"), ("a\tb", "\t"), ("a|b|c", "|"), ('"a,b";c', ";")]
)
def test_what_divides_a_header_into_the_most_names_is_its_delimiter(header, mark):
    assert delimiter_of(header) == mark


def test_a_record_has_the_line_that_it_begins_on():
    assert read('1,"a\nb",x\n\n2,c,y\n') == [(2, ["1", "a\nb", "x"], False), (5, ["2", "c", "y"], False)]


def test_blank_lines_are_no_records_but_empty_values_are():
    assert read("\n  \n,,\n") == [(4, ["", "", ""], False)]


def test_a_record_glued_together_by_a_quote_is_its_first_line_and_the_rest_is_read_anew():
    to_the_letter_two_values = '1,"open,x\n2,b,"\n3,c,y\n'
    assert read(to_the_letter_two_values) == [
        (2, ["1", "open,x"], True),
        (3, ["2", "b", ""], True),
        (4, ["3", "c", "y"], False),
    ]


def test_a_record_without_an_end_is_given_up_after_two_hundred_lines():
    walked = 0

    def endless():
        nonlocal walked
        for line in repeat('b","a\n'):  # closes the quote of the line before, and opens the next
            walked += 1
            yield line

    found = records(endless(), ",", width=2)
    next(found)  # an opening line: b", then "a
    assert all(next(found).wrong for _ in range(50))
    assert walked < 300
