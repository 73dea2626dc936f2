"""Check characters on bytes agree with the scalar references, cell by cell."""

from __future__ import annotations

import random
import string
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.kernel import identifiers as scalar
from tongban.kernel.certificates import certificate_is_canonical
from tongban.validate import checks

TODAY = date(2026, 11, 24)
HOSTILE = (
    "",
    " ",
    "平凉市崆峒区",  # six characters, eighteen bytes
    "甲" * 5 + "abc",
    "１２３４５６",
    "\x00" * 18,
    "\x7f" * 18,
    "\u0080" * 9,
    "é" * 9,
    "𠮷" * 4 + "ab",
    "0" * 18,
    "X" * 18,
    "9" * 17 + "X",
    "9" * 18,
    "/" * 18,
    ":" * 18,
    "-" * 10,
    "620802198503140012\n",
    "\ufeff620802198503140012",
    "62080219850314001X",
    "D2143569-X",
    "D2143569X-",
    "6208020000000１1",
)
PAIRS = {
    "resident_id": (
        lambda s: checks.resident_id(s, today=TODAY),
        lambda t: scalar.resident_id_is_valid(t, today=TODAY),
    ),
    "credit_code": (checks.credit_code, lambda t: scalar.credit_code(t).is_valid),
    "credit_code.outer": (
        lambda s: checks.credit_code(s, inner=False),
        lambda t: scalar.credit_code(t).outer,
    ),
    "credit_code.inner": (
        lambda s: checks.credit_code(s, outer=False),
        lambda t: scalar.credit_code(t).inner,
    ),
    "organisation_code": (checks.organisation_code, scalar.organisation_code_is_valid),
    "registration_no": (checks.registration_no, scalar.registration_no_is_valid),
    "mod_37_36": (checks.mod_37_36, scalar.mod_37_36_is_valid),
    "licence_id": (checks.licence_id, scalar.licence_id_is_valid),
    "real_estate_unit": (checks.real_estate_unit, scalar.real_estate_unit_is_valid),
    "certificate_no": (checks.certificate_no, certificate_is_canonical),
}


def near(rng: random.Random) -> str:
    """A number that is right, or right but for one character, length or date."""
    kind = rng.randrange(6)
    if kind == 0:
        day = f"{rng.randrange(1790, 2040):04d}{rng.randrange(0, 14):02d}{rng.randrange(0, 33):02d}"
        first = f"620899{day}{rng.randrange(1000):03d}"
        text = first + scalar.resident_id_check_character(first)
    elif kind == 1:
        body = "".join(rng.choices(scalar.CREDIT_CODE_ALPHABET, k=8))
        first = f"91620899{body}{scalar.organisation_code_check_character(body)}"
        text = first + scalar.credit_code_check_character(first)
    elif kind == 2:
        body = "".join(rng.choices(scalar.ORGANISATION_CODE_ALPHABET, k=8))
        joint = rng.choice(["", "-"])
        text = body + joint + scalar.organisation_code_check_character(body)
    elif kind == 3:
        first = "".join(rng.choices(string.digits, k=14))
        text = first + scalar.registration_no_check_digit(first)
    elif kind == 4:
        text = scalar.with_check_character(
            "".join(rng.choices(scalar.MOD_37_36_ALPHABET, k=rng.randrange(1, 30)))
        )
    else:
        text = f"620899001001{rng.choice('GJZA')}B00001{rng.choice('FLQWX')}{rng.randrange(3):08d}"
    if rng.random() < 0.4:
        place = rng.randrange(len(text))
        other = rng.choice("0123456789ABXZxI甲１-/: \n\x00é")
        text = text[:place] + other + text[place + rng.randrange(2) :]
    return text


def cells(count: int, seed: int) -> list[str]:
    """Random and hostile cells, reproducible."""
    rng = random.Random(seed)
    found = [near(rng) for _ in range(count)]
    letters = string.printable + "甲１é𠮷\x00"
    found += ["".join(rng.choices(letters, k=rng.randrange(20))) for _ in range(count // 5)]
    return found + list(HOSTILE)


@pytest.mark.parametrize("name", PAIRS)
def test_a_column_check_never_disagrees_with_the_scalar_reference(name):
    """Twelve thousand random, nearly right and hostile cells; both answers occur."""
    vector, reference = PAIRS[name]
    texts = cells(12_000, seed=7)
    if name == "certificate_no":
        texts = [f"甘（2018）平凉市不动产权第{t[:7]}号" for t in texts[:4_000]] + texts[-3_000:]
    if name == "licence_id":
        root = "1.2.156.3005.2.11100000MB03271699022.116208000138900067."
        body = root.removeprefix("1.2.156.3005.2.").replace(".", "")
        texts += [
            f"{root}{i:X}.001.{scalar.mod_37_36_check_character(f'{body}{i:X}001')}"
            for i in range(500)
        ]
    expected = [reference(text) for text in texts]

    found = vector(pl.Series(texts)).tolist()

    assert {True, False} == set(expected)
    assert [] == [t for t, e, f in zip(texts, expected, found, strict=True) if e != f]


@pytest.mark.parametrize("name", PAIRS)
def test_a_missing_cell_is_never_right_and_moves_no_other(name):
    """Nulls keep their places; whether they matter is the rules' affair."""
    vector, reference = PAIRS[name]
    texts = [t if i % 3 else None for i, t in enumerate(cells(300, seed=8))]

    found = vector(pl.Series(texts)).tolist()

    assert [text is not None and reference(text) for text in texts] == found


@pytest.mark.parametrize("name", PAIRS)
def test_no_cells_give_no_answers(name):
    """Empty columns and columns of nulls."""
    vector, _ = PAIRS[name]

    assert [] == vector(pl.Series([], dtype=pl.String)).tolist()
    assert [False, False] == vector(pl.Series([None, None], dtype=pl.String)).tolist()


@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=15))
def test_no_text_makes_a_column_check_raise_or_disagree(texts):
    """Whatever Hypothesis thinks of."""
    column = pl.Series(texts, dtype=pl.String)
    for name, (vector, reference) in PAIRS.items():
        expected = [text is not None and reference(text) for text in texts]
        assert expected == vector(column).tolist(), name


def test_a_column_longer_than_a_block_is_checked_to_its_end():
    """Blocks keep a column in the processor's cache; none may be lost between them."""
    good = "620802198503140012"
    texts = [good] * 40_000
    texts[16_384] = texts[39_999] = texts[0] = "620802198503140013"

    found = checks.resident_id(pl.Series(texts), today=TODAY)

    assert [0, 16_384, 39_999] == [i for i, right in enumerate(found) if not right]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13900000000", True),
        ("+8613900000000", True),
        ("0933-8210000", True),
        ("09338210000", True),
        ("8210000", True),
        ("12900000000", False),
        ("1390000000", False),
        ("１３９０００００００0", False),
        ("13900000000\n", False),
        ("电话", False),
    ],
)
def test_a_phone_number_is_mobile_or_landline(text, expected):
    """With country or area code or without."""
    assert [expected] == checks.phone(pl.Series([text])).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02", True),
        ("2026-11", True),
        ("2026-12", False),
        ("2023-13", False),
        ("2024-00", False),
        ("202402", False),
        ("1899-12", False),
        ("2024-02\n", False),
    ],
)
def test_a_month_is_real_and_not_after_the_current_one(text, expected):
    """In the one form that normalizing gives."""
    assert [expected] == checks.month(pl.Series([text]), today=TODAY).tolist()
