"""Identifier rules: the kinds that look inside one value, on its bytes or by its pattern."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl

from tongban.kernel.byte_columns import Flags
from tongban.kernel.records import BEIJING
from tongban.kernel.yamlfile import suggestion
from tongban.validate import checks
from tongban.validate.parameters import Parameters

Check = Callable[[pl.DataFrame, datetime], pl.Series]
Broken = pl.Expr | Check
OTHER_ID_LENGTH = (3, 30)  # passports, officers' cards: no check character, only a length
_PARTS = ("both", "outer", "inner")


def _flagged(texts: pl.Series, good: Flags) -> pl.Series:
    """Where a check that is false for null was broken; null where there is no text."""
    broken = pl.Series(~good)
    if not texts.null_count():
        return broken
    return broken.zip_with(texts.is_not_null(), pl.Series([None], dtype=pl.Boolean))


def _text_check(given: Parameters, check: Callable[[pl.Series], Flags]) -> Check:
    """A check of one text field."""
    name = given.text_field()
    return lambda frame, _now: _flagged(frame[name], check(frame[name]))


def _plain(check: Callable[[pl.Series], Flags]) -> Callable[[Parameters], Broken]:
    """A kind without parameters of its own."""

    def build(given: Parameters) -> Broken:
        given.only("field")
        return _text_check(given, check)

    return build


def _resident_id(given: Parameters) -> Broken:
    """Check character and birth date; with `areas`, whether the area code ever existed."""
    given.only("field", "areas")
    name = given.text_field()
    table = given.rule.params.get("areas")
    if table is not None:
        known = sorted(given.codes.known(str(table)))
        return ~pl.col(name).str.slice(0, 6).is_in(known)

    def check(frame: pl.DataFrame, now: datetime) -> pl.Series:
        today = now.astimezone(BEIJING).date()
        return _flagged(frame[name], checks.resident_id(frame[name], today=today))

    return check


def _month(given: Parameters) -> Broken:
    """A real month, not after the current one in Beijing."""
    given.only("field")
    name = given.text_field()

    def check(frame: pl.DataFrame, now: datetime) -> pl.Series:
        today = now.astimezone(BEIJING).date()
        return _flagged(frame[name], checks.month(frame[name], today=today))

    return check


def _credit_code(given: Parameters) -> Broken:
    """Both check characters, or one of them so that the two are reported apart."""
    given.only("field", "part")
    part = given.rule.params.get("part", "both")
    if part not in _PARTS:
        given.refuse(f'does not know the part "{part}"{suggestion(str(part), _PARTS)}')
    outer, inner = part != "inner", part != "outer"
    return _text_check(given, lambda texts: checks.credit_code(texts, outer=outer, inner=inner))


def _id_by_type(given: Parameters) -> Broken:
    """The check that belongs to the row's id type; other types have only a length."""
    given.only("number", "type", "resident", "credit")
    number, kind = given.field("number"), given.field("type")
    resident = given.values(kind, given.rule.params.get("resident"))
    credit = given.values(kind, given.rule.params.get("credit") or ["-"])

    def check(frame: pl.DataFrame, now: datetime) -> pl.Series:
        texts, kinds = frame[number.name], frame[kind.name]
        good = texts.str.len_chars().is_between(*OTHER_ID_LENGTH)
        today = now.astimezone(BEIJING).date()
        for codes, right in (
            (resident, lambda cells: checks.resident_id(cells, today=today)),
            (credit, checks.credit_code),
        ):
            rows = kinds.is_in(codes).fill_null(value=False).arg_true()
            if not rows.is_empty():
                good = good.clone().scatter(rows, pl.Series(right(texts.gather(rows))))
        both = texts.is_not_null() & kinds.is_not_null()
        return (~good).zip_with(both, pl.Series([None], dtype=pl.Boolean))

    return check


IDENTIFIER_KINDS: dict[str, Callable[[Parameters], Broken]] = {
    "resident_id": _resident_id,
    "credit_code": _credit_code,
    "organisation_code": _plain(checks.organisation_code),
    "registration_no": _plain(checks.registration_no),
    "real_estate_unit": _plain(checks.real_estate_unit),
    "certificate_no": _plain(checks.certificate_no),
    "licence_id": _plain(checks.licence_id),
    "phone": _plain(checks.phone),
    "month": _month,
    "id_by_type": _id_by_type,
}
