"""Certificates: real-estate certificate and proof numbers in all forms that people write.

Departments write 甘（2018）平凉市不动产权第0000001号 with full-width, half-width, square or
tortoise-shell brackets, leave out 第 or 号, pad the number or not, and put several into one field.
`canonical_certificates` gives one form for all of them. Numbers from before unified
registration (房权证, 国用) have no common form; they stay as they are, apart from brackets and
blanks. Nothing here guesses: text that is neither comes back cleaned and is judged by a rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

JOINED_BY = "、"
SEQUENCE_DIGITS = 7
PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
RIGHT = "不动产权"
PROOF = "不动产证明"

OPENING_BRACKETS = "([〔【［﹝"
CLOSING_BRACKETS = ")]〕】］﹞"
_BRACKETS = str.maketrans(
    dict.fromkeys(OPENING_BRACKETS, "（") | dict.fromkeys(CLOSING_BRACKETS, "）")
)
_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")  # noqa: FURB156 - the two lists are read together
_SEPARATORS = re.compile(r"[,，、;；/\n]+|(?<=号)(?=[^号])")
_BLANKS = re.compile(r"[\s\u200b\ufeff]+")

# Half a pattern each, in a dialect that Polars, PostgreSQL and ECMAScript share.
UNIFIED_PATTERN = (
    rf"([{PROVINCES}])（([0-9]{{4}})）([\u4e00-\u9fa5]{{2,15}}?)({RIGHT}|{PROOF})"
    r"第?([0-9]{1,7})号?"
)
CANONICAL_PATTERN = (
    rf"[{PROVINCES}]（[0-9]{{4}}）[\u4e00-\u9fa5]{{2,15}}(?:{RIGHT}|{PROOF})第[0-9]{{7}}号"
)
LEGACY_PATTERN = (
    r"[\u4e00-\u9fa5]{0,12}(?:（[0-9]{4}）)?[\u4e00-\u9fa5]{0,12}"
    r"(?:房权证|房产证|房字|国用|集用|土证|林证|他项|他证|字)"
    r"[\u4e00-\u9fa5]{0,12}(?:（[0-9]{4}）)?[\u4e00-\u9fa5]{0,12}第?[0-9A-Z（）－-]{1,24}号?"
)
_UNIFIED = re.compile(UNIFIED_PATTERN)
_LEGACY = re.compile(LEGACY_PATTERN)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One unified certificate number, taken apart.

    Attributes:
        province: One-character abbreviation, 甘 for Gansu.
        year: Year of the register, in which `sequence` starts anew.
        seat: City or county name as printed, e.g. 平凉市.
        kind: 不动产权 (right) or 不动产证明 (mortgage or advance-notice proof).
        sequence: Seven digits.
    """

    province: str
    year: int
    seat: str
    kind: str
    sequence: str

    def __str__(self) -> str:
        """The canonical form."""
        return f"{self.province}（{self.year}）{self.seat}{self.kind}第{self.sequence}号"


@dataclass(frozen=True, slots=True)
class LegacyCertificate:
    """A number from before unified registration, cleaned but not taken apart."""

    text: str

    def __str__(self) -> str:
        """The cleaned text."""
        return self.text


def parse_certificate(text: str) -> Certificate | LegacyCertificate | None:
    """Read one certificate number, or give None when it is neither unified nor legacy.

    Source:
        不动产登记暂行条例实施细则 and the certificate's printed form (unified numbers).
    """
    cleaned = clean_certificate(text)
    if found := _UNIFIED.fullmatch(cleaned):
        province, year, seat, kind, sequence = found.groups()
        return Certificate(province, int(year), seat, kind, sequence.zfill(SEQUENCE_DIGITS))
    if _LEGACY.fullmatch(cleaned):
        return LegacyCertificate(cleaned)
    return None


def parse_certificates(text: str) -> tuple[Certificate | LegacyCertificate | None, ...]:
    """Read every certificate number of a field; an unreadable part gives None in its place."""
    return tuple(parse_certificate(part) for part in split_certificates(text))


def canonical_certificates(text: str) -> str:
    """All numbers of a field in canonical form, joined by 、; unreadable parts only cleaned."""
    parts = split_certificates(text)
    return JOINED_BY.join(str(parse_certificate(part) or clean_certificate(part)) for part in parts)


def clean_certificate(text: str) -> str:
    """Full-width brackets, half-width digits, no blanks."""
    return _BLANKS.sub("", text).translate(_BRACKETS).translate(_DIGITS)


def split_certificates(text: str) -> tuple[str, ...]:
    """Parts of a field that holds several numbers, empty parts left out.

    Blanks separate only where a number ends before them, since people also put blanks inside.
    """
    parts: list[str] = []
    for piece in _SEPARATORS.split(text):
        cleaned = _BLANKS.sub("", piece)
        if cleaned:
            parts.append(cleaned)
    return tuple(parts)


def certificate_is_canonical(text: str) -> bool:
    """Whether every number in `text` is unified and canonical, or a legacy number."""
    parts = text.split(JOINED_BY)
    return all(_is_canonical(part) for part in parts)


def _is_canonical(part: str) -> bool:
    """One number, already in the form that `canonical_certificates` gives."""
    parsed = parse_certificate(part)
    return parsed is not None and str(parsed) == part
