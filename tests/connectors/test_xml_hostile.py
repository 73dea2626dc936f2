"""Hostile XML: nothing in it is expanded, and nothing in it makes us wait."""

from __future__ import annotations

import time

import pytest

from connectors.errors import AnswerHasDtd
from connectors.protocols.xmldoc import looks_like_html, parse_xml

ENTITY = b'<!DOCTYPE a [<!ENTITY x "y">]>'


@pytest.mark.parametrize(
    "body",
    [
        ENTITY + b"<a>&x;</a>",
        b"<?xml version='1.0'?>\n" + ENTITY + b"<a>&x;</a>",
        b"<!-- <a -->" + ENTITY + b"<a>b&x;</a>",
        b"<?pi <a ?>" + ENTITY + b"<a>b&x;</a>",
    ],
)
def test_a_dtd_is_refused_wherever_it_hides(body: bytes):
    """A comment or an instruction before it does not bring it past us."""
    with pytest.raises(AnswerHasDtd, match="the answer has a DTD"):
        parse_xml(body, "department")


@pytest.mark.parametrize("comments", [1, 30, 290])
def test_a_body_full_of_comments_is_judged_at_once(comments: int):
    """Telling a web page from XML takes a time that does not grow with its comments."""
    started = time.process_time()

    assert not looks_like_html(b"<!---->" * comments + b"<a/>")
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "page",
    [
        b"<html><body>x</body></html>",
        b"  <!doctype html><html/>",
        b"<!-- a --><!-- - -> --> <HTML>",
    ],
)
def test_a_web_page_is_recognised_behind_its_comments(page: bytes):
    """A maintenance notice is no answer of a department."""
    assert looks_like_html(page)
