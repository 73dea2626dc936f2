"""A typed number is recognised by its form, healed, and never shown in an error."""

from __future__ import annotations

import pytest

from tongban.kernel.identifiers import holds_resident_id
from tongban.subjects import NumberUnusable, read_number


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        ("620802198503140012", "resident_id", "620802198503140012"),
        (" 620802 19850314 0012 ", "resident_id", "620802198503140012"),
        ("６２０８０２１９８５０３１４００１２", "resident_id", "620802198503140012"),
        ("620802850314001", "resident_id", "620802198503140012"),
        ("11010519491231002x", "resident_id", "11010519491231002X"),
        ("91620802ma0000015x", "credit_code", "91620802MA0000015X"),
        ("620802001001GB00001F00010001", "unit_no", "620802001001GB00001F00010001"),
        ("620802 001 001 GB 00001 W 0000 0000", "unit_no", "620802001001GB00001W00000000"),
    ],
)
def test_a_number_is_recognised_as_people_type_it(typed: str, kind: str, value: str):
    """Blanks, full-width digits, lower case and the 15 digits of old cards are understood."""
    number = read_number(typed)

    assert (kind, value) == (number.kind, number.value)


@pytest.mark.parametrize(
    "typed",
    ["", "620802198503140013", "620802198502300010", "91620802MA0000015Y", "HT20240305000001"],
)
def test_a_number_without_a_known_form_is_refused_without_being_shown(typed: str):
    """The message tells the length and what was expected."""
    with pytest.raises(NumberUnusable) as caught:
        read_number(typed)

    assert f"{len(typed)} characters" in str(caught.value)
    assert not typed or typed not in str(caught.value)


def test_the_repr_of_a_number_does_not_show_it():
    """It may end in a log or a traceback."""
    assert "620802" not in repr(read_number("620802198503140012"))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("核对 11010519491231002X 的房产", True),
        ("id:４４０５２４１８８００１０１００１４", True),
        ("受理号 620826112400000134", False),
        ("依据《条例》第 12 条", False),
        ("11010519491231002", False),
    ],
)
def test_a_resident_id_inside_a_text_is_noticed(text: str, holds: bool):
    """A case number of the same length is none."""
    assert holds is holds_resident_id(text)
