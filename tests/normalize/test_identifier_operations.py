"""National numbers come into their normal form; right or wrong is not decided here."""

from __future__ import annotations

import string

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.normalize.one_operation import run
from tongban.kernel.certificates import canonical_certificates
from tongban.kernel.identifiers import resident_id_from_15
from tongban.normalize.identifiers import certificate_no, from_15, resident_id
from tongban.normalize.text import clean, code_form


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("620802850314001", "620802198503140012"),
        ("６２０８０２８５０３１４００１", "620802198503140012"),
        ("11010519491231002x", "11010519491231002X"),
        ("1101 0519 4912 3100 2x", "11010519491231002X"),
        ("620802850230001", "620802850230001"),  # no such day: left for the rule to refuse
        ("62080285031400X", "62080285031400X"),
        ("E12345678", "E12345678"),
        (None, None),
    ],
)
def test_a_resident_id_has_eighteen_characters_and_a_capital_x(cell, expected):
    """15 to 18, half width, upper case, no blanks; a wrong number stays wrong."""
    assert [expected] == run("resident_id", [cell])


@given(
    st.lists(
        st.one_of(
            st.text(alphabet=string.digits, min_size=15, max_size=15),
            st.text(alphabet="0123456789X甲", max_size=18),
            st.none(),
        ),
        max_size=20,
    )
)
def test_lengthening_a_column_is_lengthening_each_cell(cells):
    """The vectorised form against the scalar reference."""
    column = pl.Series(cells, dtype=pl.String)

    expected = [None if c is None else resident_id_from_15(c) or c for c in cells]
    assert expected == from_15(column).to_list()


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        ("credit_code", "９１６２０８０２ｍａ００００００１５ｘ", "91620802MA00000015X"),
        ("credit_code", "91620802 MA000001 5X", "91620802MA0000015X"),
        ("unit_no", "620899001001 GB00001\u3000F00010001", "620899001001GB00001F00010001"),
        ("unit_no", "620899001001gb00001f00010001", "620899001001GB00001F00010001"),
        ("unit_no", " ", None),
    ],
)
def test_a_code_has_no_blanks_and_no_small_or_wide_letters(name, cell, expected):
    """How codes are compared."""
    assert [expected] == run(name, [cell])


def test_only_residents_numbers_are_lengthened_where_the_type_decides():
    """A 15-digit registration number of a unit stays as it is; a missing type changes nothing."""
    found = run(
        "id_by_type",
        ["620802850314001", "620802850314001", "620802850314001", "e 123"],
        {"type": "ZJZL", "resident": ["1"]},
        columns={"ZJZL": ["1", "7", None, "3"]},
    )

    assert ["620802198503140012", "620802850314001", "620802850314001", "E123"] == found


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("甘（2018）平凉市不动产权第0000001号", "甘（2018）平凉市不动产权第0000001号"),
        ("甘(2018)平凉市不动产权第1号", "甘（2018）平凉市不动产权第0000001号"),
        ("甘〔２０１８〕 平凉市不动产证明第0000001号", "甘（2018）平凉市不动产证明第0000001号"),
        ("平国用(2010)第123号", "平国用（2010）第123号"),
        (
            "甘(2018)平凉市不动产权第1号，甘(2018)平凉市不动产权第2号",
            "甘（2018）平凉市不动产权第0000001号、甘（2018）平凉市不动产权第0000002号",
        ),
        ("胡言", "胡言"),
        (None, None),
    ],
)
def test_a_certificate_number_is_canonical_or_left_to_the_rule(cell, expected):
    """All bracket forms, several in a field, old kinds."""
    assert [expected] == run("certificate_no", [cell])


@given(
    st.lists(
        st.text(alphabet="甘平凉市不动产权证明第号()（）〔〕0129２、, ", min_size=1, max_size=50),
        max_size=6,
    )
)
def test_a_column_of_certificates_agrees_with_the_scalar_reference(cells):
    """The fast path by pattern gives what reading singly gives."""
    column = clean(pl.Series(cells, dtype=pl.String))

    expected = [c if c is None else canonical_certificates(c) or c for c in column]
    assert expected == certificate_no(column).to_list()


@given(
    st.lists(
        st.one_of(
            st.text(alphabet="0123456789xＸ９ \u3000甲", max_size=20),
            st.text(alphabet="甘平凉市不动产权第号（）()〔〕2018、, ", max_size=40),
        ),
        max_size=8,
    )
)
def test_a_normal_form_is_normal_already(cells):
    """Doing it again changes nothing: what the hub sends back to itself stays the same."""
    for form in (resident_id, certificate_no, code_form):
        once = form(clean(pl.Series(cells, dtype=pl.String)))

        assert once.to_list() == form(once).to_list(), form.__name__
