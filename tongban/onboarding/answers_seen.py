"""Answers seen: what real answers tell about the other side's clock and charset.

Signatures and time windows go wrong when clocks differ, so the skew is measured from the Date
header. The charset is judged by what the answers declare about themselves and by their bytes.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.drafts import Answer, Draft
from tongban.kernel.systems import System
from tongban.onboarding.steps import FAILED, OK, SKIPPED, WARNED, Step

SKEW_WARNING_S = 30  # most signatures are believed for one to five minutes
SKEW_FAILURE_S = 240
DATE_PRECISION_S = 2  # the header has whole seconds, and the answer travelled
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml[^>]*encoding\s*=\s*[\"']([\w.:-]+)[\"']", re.IGNORECASE)
Seen = Sequence[tuple[Draft, Answer]]


def clock_step(answers: Seen, now: datetime | None = None) -> Step:
    """Compare the newest Date header with our clock."""
    header = next((a.headers["date"] for _, a in reversed(answers) if "date" in a.headers), None)
    if header is None:
        return Step("clock", SKIPPED, "the answers have no Date header")
    try:
        theirs = parsedate_to_datetime(header)
    except ValueError:
        return Step("clock", WARNED, "the Date header cannot be read")
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    skew = (theirs - (now or datetime.now(UTC))).total_seconds()
    text = f"the system's clock differs from ours by {skew:+.0f} s"
    if abs(skew) > SKEW_FAILURE_S:
        return Step("clock", FAILED, f"{text}; signatures and windows will fail, correct a clock")
    if abs(skew) > SKEW_WARNING_S:
        return Step("clock", WARNED, f"{text}; raise overlap_s, or correct a clock")
    if abs(skew) <= DATE_PRECISION_S:
        return Step("clock", OK, "the clocks agree")
    return Step("clock", OK, text)


def charset_step(system: System, answers: Seen) -> Step:
    """Hold what answers say about their charset against the declared one, and their bytes too."""
    if not answers:
        return Step("charset", SKIPPED, "no answer came")
    declared = {_name(item.charset) for item in system.interfaces.values()}
    words = " or ".join(sorted(declared))
    told: set[str] = set()
    plain = True
    for _, answer in answers:
        told |= _told(answer)
        plain = plain and answer.body.isascii()
        if not any(_decodes(answer.body, name) for name in declared):
            return Step("charset", FAILED, f"an answer's bytes are no {words}; correct `charset`")
    others = {name for name in told if not any(_covers(own, name) for own in declared)}
    if others:
        names = ", ".join(sorted(others))
        text = f"answers say {names} and are read as {words}; the bytes decide, and they fit"
        return Step("charset", WARNED, text)
    if plain:
        return Step("charset", OK, f"only ASCII came, which fits {words}")
    return Step("charset", OK, f"{words}, as declared")


def _told(answer: Answer) -> set[str]:
    """Charsets that an answer claims: in its header and in its XML declaration."""
    claims = [*_CHARSET.findall(answer.headers.get("content-type", ""))]
    claims += [match.decode("ascii") for match in _XML.findall(answer.body[:200])]
    return {_name(claim) for claim in claims}


def _name(charset: str) -> str:
    try:
        return codecs.lookup(charset).name
    except LookupError:
        return charset.lower()


def _covers(declared: str, told: str) -> bool:
    """Whether reading with the declared charset reads what was told, such as GBK by GB18030."""
    chinese = ("gb2312", "gbk", "gb18030")
    if declared in chinese and told in chinese:
        return chinese.index(declared) >= chinese.index(told)
    return told in {declared, "ascii"}


def _decodes(body: bytes, charset: str) -> bool:
    try:
        body.decode(charset)
    except (UnicodeDecodeError, LookupError):
        return False
    return True
