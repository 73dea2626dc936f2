"""SQL functions: the national numbers' check characters as IMMUTABLE functions of PostgreSQL.

Each gives true or false for text and null for null, without any extension; `contract sql` prints
those that a table's CHECKs call, in front of the table. They are written from the standards'
constants in `tongban.kernel.identifiers` and never read a table.
"""

from __future__ import annotations

import string

from tongban.kernel import identifiers as known
from tongban.kernel.certificates import CANONICAL_PATTERN, LEGACY_PATTERN, PROVINCES

_HEAD = "CREATE OR REPLACE FUNCTION {name} RETURNS {gives}\nLANGUAGE sql IMMUTABLE STRICT AS $$"


def _function(name: str, body: str, gives: str = "boolean") -> str:
    return f"{_HEAD.format(name=name, gives=gives)}\n{body.strip()}\n$$;"


def _weighted(alphabet: str, text: str, weights: tuple[int, ...]) -> str:
    """Weighted sum of a text's characters by their place in an alphabet."""
    value = f"strpos('{alphabet}', substr({text}, at::integer, 1)) - 1"
    listed = ", ".join(map(str, weights))
    source = f"unnest(ARRAY[{listed}]) WITH ORDINALITY AS one(weight, at)"
    return f"(SELECT sum(({value}) * weight)\n    FROM {source})"  # noqa: S608 - constants


_IS_DAY = _function(
    "tongban_is_day(digits text)",
    """
SELECT CASE WHEN digits ~ '^[0-9]{8}$' THEN
  substr(digits, 5, 2)::integer BETWEEN 1 AND 12
  AND substr(digits, 1, 4)::integer >= 1
  AND substr(digits, 7, 2)::integer BETWEEN 1 AND
    CASE substr(digits, 5, 2)::integer
      WHEN 4 THEN 30 WHEN 6 THEN 30 WHEN 9 THEN 30 WHEN 11 THEN 30
      WHEN 2 THEN 28 + (substr(digits, 1, 4)::integer % 4 = 0
        AND (substr(digits, 1, 4)::integer % 100 <> 0
          OR substr(digits, 1, 4)::integer % 400 = 0))::integer
      ELSE 31 END
  ELSE false END
""",
)
_RESIDENT = _function(
    "tongban_resident_id(number text, today date)",
    f"""
SELECT CASE WHEN number ~ '^[0-9]{{17}}[0-9X]$' THEN
  substr('{known.RESIDENT_ID_CHECKS}', 1 + ({
        _weighted(string.digits, "number", known.RESIDENT_ID_WEIGHTS)
    } % 11)::integer, 1) = substr(number, 18, 1)
  AND tongban_is_day(substr(number, 7, 8))
  AND substr(number, 7, 4)::integer >= {known.EARLIEST_BIRTH_YEAR}
  AND substr(number, 7, 8)::integer <= to_char(today, 'YYYYMMDD')::integer
  ELSE false END
""",
)
_ORGANISATION = _function(
    "tongban_organisation_code(code text)",
    f"""
SELECT CASE WHEN code ~ '^[0-9A-Z]{{8}}-?[0-9X]$' THEN
  substr('{known.ORGANISATION_CODE_CHECKS}', 1 + ({
        _weighted(known.ORGANISATION_CODE_ALPHABET, "code", known.ORGANISATION_CODE_WEIGHTS)
    } % 11)::integer, 1) = right(code, 1)
  ELSE false END
""",
)
_CREDIT = _function(
    "tongban_credit_code(code text, part text)",
    f"""
SELECT CASE WHEN code ~ '^[{known.CREDIT_CODE_ALPHABET}]{{2}}[0-9]{{6}}[{
        known.CREDIT_CODE_ALPHABET
    }]{{10}}$' THEN
  (part = 'inner' OR substr('{known.CREDIT_CODE_ALPHABET}', 1 + ((31 - {
        _weighted(known.CREDIT_CODE_ALPHABET, "code", known.CREDIT_CODE_WEIGHTS)
    } % 31) % 31)::integer, 1) = substr(code, 18, 1))
  AND (part = 'outer' OR tongban_organisation_code(substr(code, 9, 9)))
  ELSE false END
""",
)
_HYBRID = _function(  # ISO 7064 MOD m+1,m
    "tongban_hybrid_check(body text, alphabet text, modulus integer)",
    """
WITH RECURSIVE steps(at, product) AS (
  SELECT 0, modulus
  UNION ALL
  SELECT at + 1, coalesce(nullif(
      (product + strpos(alphabet, substr(body, at + 1, 1)) - 1) % modulus, 0), modulus)
      * 2 % (modulus + 1)
  FROM steps WHERE at < length(body))
SELECT substr(alphabet, 1 + (modulus + 1 - product) % modulus, 1)
FROM steps WHERE at = length(body)
""",
    gives="text",
)
_REGISTRATION = _function(
    "tongban_registration_no(number text)",
    f"""
SELECT CASE WHEN number ~ '^[0-9]{{{known.REGISTRATION_NO_LENGTH}}}$' THEN
  tongban_hybrid_check(left(number, 14), '0123456789', 10) = right(number, 1)
  ELSE false END
""",
)
_LICENCE = _function(
    "tongban_licence_id(number text)",
    rf"""
SELECT CASE WHEN number ~
  '^1\.2\.156\.3005\.2\.[0-9A-Z]{{21}}\.[0-9A-Z]{{18}}\.[0-9A-Z]{{1,40}}\.[0-9]{{3}}\.[0-9A-Z]$'
  THEN tongban_hybrid_check(
    left(replace(substr(number, {len(known.LICENCE_ROOT) + 1}), '.', ''), -1),
    '{known.MOD_37_36_ALPHABET}', 36) = right(number, 1)
  ELSE false END
""",
)
_UNIFIED_SHAPE = (
    rf"[{PROVINCES}]（[0-9]{{4}}）[\u4e00-\u9fa5]{{2,15}}(?:不动产权|不动产证明)第?[0-9]{{1,7}}号?"
)
_ONE_CERTIFICATE = (
    f"one ~ '^{CANONICAL_PATTERN}$'\n"
    f"  OR (one ~ '^{LEGACY_PATTERN}$' AND one !~ '^{_UNIFIED_SHAPE}$')"
)
_CERTIFICATE = _function(
    "tongban_certificate_no(numbers text)",
    f"SELECT coalesce(bool_and({_ONE_CERTIFICATE}), false)\n"  # noqa: S608 - constants
    "FROM unnest(string_to_array(numbers, '、')) AS one",
)

FUNCTIONS: dict[str, str] = {
    "tongban_is_day": _IS_DAY,
    "tongban_resident_id": _RESIDENT,
    "tongban_organisation_code": _ORGANISATION,
    "tongban_credit_code": _CREDIT,
    "tongban_hybrid_check": _HYBRID,
    "tongban_registration_no": _REGISTRATION,
    "tongban_licence_id": _LICENCE,
    "tongban_certificate_no": _CERTIFICATE,
    "tongban_decimal": _function(
        "tongban_decimal(written text)",
        r"""
SELECT CASE WHEN written ~ '^[+-]?[0-9]+(\.[0-9]*)?$' THEN written::numeric
  ELSE ('not a plain decimal' || left(written, 0))::numeric END
""",
        gives="numeric",
    ),
    "tongban_date": _function(
        "tongban_date(written text)",
        """
SELECT CASE WHEN written ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN written::date
  ELSE ('not yyyy-MM-dd' || left(written, 0))::date END
""",
        gives="date",
    ).replace("IMMUTABLE", "STABLE"),
    "tongban_moment": _function(
        "tongban_moment(written text)",
        r"""
SELECT CASE WHEN written ~
  '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\+08:00$'
  AND substr(written, 12, 2) < '24' AND substr(written, 18, 2) < '60'
  THEN written::timestamptz
  ELSE ('not yyyy-MM-ddTHH:mm:ss+08:00' || left(written, 0))::timestamptz END
""",
        gives="timestamptz",
    ).replace("IMMUTABLE", "STABLE"),
}
"""Name → definition; each stands after those that it calls."""

LOADERS = {"decimal": "tongban_decimal", "date": "tongban_date", "datetime": "tongban_moment"}
"""For clients that load text: PostgreSQL itself reads more, and cuts a time off without a word."""


def needed_by(text: str) -> list[str]:
    """Definitions of the functions that a text calls, and of those that they call."""
    wanted: set[str] = set()
    waiting = [text]
    while waiting:
        here = waiting.pop()
        for name, body in FUNCTIONS.items():
            if f"{name}(" in here and name not in wanted:
                wanted.add(name)
                waiting.append(body.partition("$$")[2])
    return [body for name, body in FUNCTIONS.items() if name in wanted]
