"""Certificate numbers come in many forms and leave in one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.kernel.certificates import (
    Certificate,
    LegacyCertificate,
    canonical_certificates,
    certificate_is_canonical,
    parse_certificate,
    parse_certificates,
)

CANONICAL = "甘（2018）平凉市不动产权第0000001号"


@pytest.mark.parametrize(
    "text",
    [
        CANONICAL,
        "甘(2018)平凉市不动产权第0000001号",
        "甘〔2018〕平凉市不动产权第0000001号",
        "甘【2018】平凉市不动产权第0000001号",
        "甘[2018]平凉市不动产权第0000001号",
        "甘［2018］平凉市不动产权第0000001号",
        "甘(2018）平凉市不动产权第0000001号",
        "甘（2018）平凉市不动产权0000001号",
        "甘（2018）平凉市不动产权第0000001",
        "甘（2018）平凉市不动产权第1号",
        "甘（２０１８）平凉市不动产权第０００００01号",
        " 甘 （2018） 平凉市 不动产权 第 0000001 号 ",
    ],
)
def test_every_bracket_and_blank_gives_the_same_number(text):
    """Full and half width, square, tortoise-shell, mixed, blanks inside, 第 or 号 missing."""
    assert canonical_certificates(text) == CANONICAL


def test_a_number_is_taken_apart():
    """Province, year, seat, kind and sequence."""
    found = parse_certificate("甘（2018）崆峒区不动产证明第0000023号")

    assert Certificate("甘", 2018, "崆峒区", "不动产证明", "0000023") == found


@pytest.mark.parametrize("joint", [",", "，", "、", ";", "；", " ", "\n", "", "/", " 、 "])
def test_several_numbers_in_one_field_are_told_apart(joint):
    """Whatever stands between them, also nothing."""
    text = f"甘(2018)平凉市不动产权第0000001号{joint}甘(2018)平凉市不动产权第0000002号"

    assert ["0000001", "0000002"] == [item.sequence for item in parse_certificates(text)]
    assert f"{CANONICAL}、甘（2018）平凉市不动产权第0000002号" == canonical_certificates(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("平房权证崆峒区字第12345号", "平房权证崆峒区字第12345号"),
        ("平国用(2010)第123号", "平国用（2010）第123号"),
        ("平 房权证 字第 0012 号", "平房权证字第0012号"),
    ],
)
def test_an_old_number_stays_as_it_is_apart_from_brackets_and_blanks(text, cleaned):
    """Before unified registration there was no common form."""
    assert LegacyCertificate(cleaned) == parse_certificate(text)
    assert certificate_is_canonical(cleaned)


@pytest.mark.parametrize(
    "text",
    [
        "胡言",
        "",
        "甘（2018）平凉市不动产权第12345678号",
        "甘（18）平凉市不动产权第0000001号",
        "12345",
    ],
)
def test_what_is_no_certificate_number_is_not_canonical(text):
    """Also a sequence of eight digits and a year of two."""
    assert not certificate_is_canonical(text)


def test_a_readable_number_in_another_form_is_not_canonical():
    """Only the one form passes the rule."""
    assert certificate_is_canonical(CANONICAL)
    assert not certificate_is_canonical("甘(2018)平凉市不动产权第0000001号")


@given(st.text(alphabet="甘平凉市不动产权证明第号房字()（）〔〕0129、, \n", max_size=60))
def test_making_canonical_twice_changes_nothing_more(text):
    """Idempotent, whatever the text."""
    once = canonical_certificates(text)

    assert once == canonical_certificates(once)
