"""Shapes: what the national numbers look like, as patterns of the dialect that all engines share.

A shape is the part of an identifier rule that a plain pattern can say; check characters and the
calendar come on top. Where a number has neither, its shape is the whole rule.
"""

from __future__ import annotations

from tongban.kernel.certificates import CANONICAL_PATTERN, LEGACY_PATTERN
from tongban.kernel.identifiers import CREDIT_CODE_ALPHABET
from tongban.validate.checks import MOBILE_OR_LANDLINE, MONTH

_ONE_CERTIFICATE = f"(?:{CANONICAL_PATTERN}|{LEGACY_PATTERN})"

SHAPES: dict[str, str] = {
    "resident_id": "^[0-9]{17}[0-9X]$",
    "credit_code": f"^[{CREDIT_CODE_ALPHABET}]{{2}}[0-9]{{6}}[{CREDIT_CODE_ALPHABET}]{{10}}$",
    "organisation_code": "^[0-9A-Z]{8}-?[0-9X]$",
    "registration_no": "^[0-9]{15}$",
    "real_estate_unit": "^[0-9]{12}[GJZ][A-Z][0-9]{5}(?:[FLQ][0-9]{8}|W0{8})$",
    "certificate_no": f"^{_ONE_CERTIFICATE}(?:、{_ONE_CERTIFICATE})*$".replace(
        r"\u4e00", "\u4e00"
    ).replace(r"\u9fa5", "\u9fa5"),
    "licence_id": r"^1\.2\.156\.3005\.2\.[0-9A-Z]{21}\.[0-9A-Z]{18}\.[0-9A-Z]{1,40}"
    r"\.[0-9]{3}\.[0-9A-Z]$",
    "phone": MOBILE_OR_LANDLINE,
    "month": MONTH,
}
"""Rule kind → pattern that every kept value matches."""

WHOLE = frozenset({"real_estate_unit", "phone"})
"""Kinds of which the shape says everything."""

MONTH_TEXT = "^[0-9]{4}-(?:0[1-9]|1[0-2])$"
DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"\+08:00$"
)
"""Moments are exchanged in Beijing time, so that their text sorts as they do."""


def decimal_pattern(precision: int, scale: int) -> str:
    """Decimals as text: no exponent, no separators, digits beyond the scale only as zeros."""
    fraction = rf"(?:\.[0-9]{{0,{scale}}}0*)?" if scale else r"(?:\.0*)?"
    return f"^[+-]?0*[0-9]{{1,{max(precision - scale, 1)}}}{fraction}$"
