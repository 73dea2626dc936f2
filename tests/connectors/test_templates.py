"""Templates put values into requests, keep types, and refuse what they do not know."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.templates import (
    fill,
    format_moment,
    version_as_time,
    version_from_time,
    xml_text,
)
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING

MOMENT = datetime(2018, 10, 8, 1, 2, 3, 456789, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("iso", "2018-10-08T09:02:03+08:00"),
        ("epoch_s", "1538960523"),
        ("epoch_ms", "1538960523456"),
        ("yyyyMMddHHmmss", "20181008090203"),
        ("yyyy-MM-dd HH:mm:ss", "2018-10-08 09:02:03"),
        ("yyyy/MM/dd", "2018/10/08"),
        ("yyyyMMddHHmmssSSS", "20181008090203456"),
    ],
)
def test_moments_are_written_in_beijing_time(pattern, expected):
    """Whatever zone the moment came in."""
    assert expected == format_moment(MOMENT, pattern)


def test_placeholder_alone_keeps_its_type():
    """A number stays a JSON number."""
    assert {"page": 3, "text": "p3"} == fill({"page": "{page}", "text": "p{page}"}, {"page": 3})


@pytest.mark.parametrize("value", [None, ""])
def test_optional_placeholder_drops_its_key(value):
    """An absent cursor is not an empty cursor."""
    assert {"limit": 5} == fill({"cursor": "{cursor?}", "limit": 5}, {"cursor": value})


def test_unknown_placeholder_is_refused_with_a_suggestion():
    """A typing error never becomes a request."""
    with pytest.raises(ConfigInvalid, match='did you mean "since"'):
        fill({"a": "{sinse}"}, {"since": 1, "until": 2})


def test_empty_braces_are_plain_text():
    """`{}` is what one gateway wants in a field."""
    assert {"header": "{}"} == fill({"header": "{}"}, {})


def test_spread_puts_fields_beside_the_others_and_later_keys_win():
    """The record's own fields never replace the key that stands after them."""
    template = {"...": "{data}", "id": "{guid}"}
    assert {"a": 1, "id": "g"} == fill(template, {"data": {"a": 1, "id": "x"}, "guid": "g"})


def test_json_in_string_is_compact_and_keeps_chinese():
    """As gateways sign it."""
    filled = fill({"biz": {"$json": {"名": "{n}", "l": "{l}"}}}, {"n": 1, "l": ["a"]})
    assert {"biz": '{"名":1,"l":["a"]}'} == filled


def test_xml_in_string_repeats_lists_and_escapes():
    """Markup in a value stays text."""
    text = xml_text({"R": {"@v": "1", "L": {"X": [{"a": "1<2"}, {"a": None, "b": True}]}}})
    assert '<R v="1"><L><X><a>1&lt;2</a></X><X><b>true</b></X></L></R>' == text


def test_xml_needs_one_root():
    """Two roots are no document."""
    with pytest.raises(ConfigInvalid, match="exactly one key"):
        xml_text({"a": 1, "b": 2})


def test_versions_as_times_sort_like_versions_and_come_back():
    """Receivers that compare time texts see the same order."""
    versions = [1, 2, 59, 60, 100_000]
    texts = [version_as_time(v) for v in versions]
    assert texts == sorted(texts)
    assert versions == [version_from_time(t) for t in texts]


def test_values_with_arguments_are_asked_for_by_name():
    """`{now:FORMAT}` and `{secret:NAME}`."""
    assert "<20181008>" == fill("<{now:yyyyMMdd}>", {"now": lambda p: format_moment(MOMENT, p)})


def test_beijing_is_the_zone_of_all_windows():
    """Guards the import that everything here relies on."""
    assert "Asia/Shanghai" == str(BEIJING)
