"""Identifiers: scalar reference checks for the national numbers that records carry.

These functions are the readable truth. The columns of a batch are checked by the vectorised
versions in `tongban.validate.checks`, which the tests hold against these. Every function is
total: any text, also hostile text, gives True, False or None and never raises.

All of them expect the normal form (half-width, upper case, no blanks); bringing a value into it
is the work of `tongban.normalize`. None of them says that a number was issued, and none
concludes a residence from a resident ID's area code: cards keep the code of their first issue.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from tongban.kernel.records import BEIJING

RESIDENT_ID_LENGTH = 18  # GB 11643-1999
LEGACY_RESIDENT_ID_LENGTH = 15  # GB 11643-1989
RESIDENT_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
RESIDENT_ID_CHECKS = "10X98765432"  # ISO 7064 MOD 11-2, by remainder
EARLIEST_BIRTH_YEAR = 1800
CENTENARIAN_SEQUENCES = frozenset({"996", "997", "998", "999"})

CREDIT_CODE_LENGTH = 18  # GB 32100-2015
CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # no I, O, S, V, Z
CREDIT_CODE_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
ORGANISATION_CODE_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ORGANISATION_CODE_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)  # GB 11714-1997
ORGANISATION_CODE_CHECKS = "0X987654321"  # by remainder of the weighted sum modulo 11
REGISTRATION_NO_LENGTH = 15  # GS 15-2006
REAL_ESTATE_UNIT_LENGTH = 28  # GB/T 37346-2019
MOD_37_36_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # ISO 7064
LICENCE_ROOT = "1.2.156.3005.2"  # GB/T 36904-2018

_RESIDENT_ID = re.compile(r"[0-9]{17}[0-9X]")
_MAY_BE_A_PERSON = re.compile(r"(?<![0-9])[0-9]{17}[0-9X]")
_LEGACY_RESIDENT_ID = re.compile(r"[0-9]{15}")
_CREDIT_CODE = re.compile(rf"[{CREDIT_CODE_ALPHABET}]{{2}}[0-9]{{6}}[{CREDIT_CODE_ALPHABET}]{{10}}")
_ORGANISATION_CODE = re.compile(r"([0-9A-Z]{8})-?([0-9X])")
_REGISTRATION_NO = re.compile(r"[0-9]{15}")
_REAL_ESTATE_UNIT = re.compile(
    r"(?P<county>[0-9]{6})(?P<cadastral_area>[0-9]{3})(?P<cadastral_subarea>[0-9]{3})"
    r"(?P<right_kind>[GJZ])(?P<land_kind>[A-Z])(?P<parcel>[0-9]{5})"
    r"(?P<fixture>[FLQW])(?P<fixture_number>[0-9]{8})"
)
_LICENCE_ID = re.compile(
    r"1\.2\.156\.3005\.2\.[0-9A-Z]{21}\.[0-9A-Z]{18}\.[0-9A-Z]{1,40}\.[0-9]{3}\.[0-9A-Z]"
)


def today_in_beijing() -> date:
    """The civil date in Asia/Shanghai, whatever the server's own zone is."""
    return datetime.now(BEIJING).date()


def _as_date(digits: str) -> date | None:
    """`yyyymmdd` as a date, or None when there is no such day."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def resident_id_check_character(first: str) -> str:
    """Check character for the first 17 digits of a resident ID.

    Source:
        GB 11643-1999 §4.2 and ISO 7064 MOD 11-2.
    """
    pairs = zip(first, RESIDENT_ID_WEIGHTS, strict=True)
    total = sum(int(digit) * weight for digit, weight in pairs)
    return RESIDENT_ID_CHECKS[total % 11]


def resident_id_is_valid(text: str, *, today: date | None = None) -> bool:
    """Whether `text` is a well-formed 18-character resident ID.

    Four hard demands: length, characters, a real birth date not after `today`, check character.
    The area code is no demand, since both old and later codes are on cards in use.

    Source:
        GB 11643-1999; its printed examples 11010519491231002X and 440524188001010014 pass.
    """
    if _RESIDENT_ID.fullmatch(text) is None:
        return False
    born = _as_date(text[6:14])
    if born is None or born.year < EARLIEST_BIRTH_YEAR or born > (today or today_in_beijing()):
        return False
    return resident_id_check_character(text[:17]) == text[17]


def holds_resident_id(text: str) -> bool:
    """Whether a resident ID of 18 stands in a text, full-width or with blanks inside too."""
    value = "".join(unicodedata.normalize("NFKC", text).split()).upper()
    return any(map(resident_id_is_valid, _MAY_BE_A_PERSON.findall(value)))


def resident_id_birth_date(text: str) -> date | None:
    """Birth date inside a well-formed resident ID, else None."""
    return _as_date(text[6:14]) if resident_id_is_valid(text) else None


def resident_id_from_15(text: str) -> str | None:
    """The 18-character form of a 15-digit legacy number, or None when it is none.

    The century is 19, except that the sequences 996 to 999 were set aside for people born in
    the 1800s. A legacy number has no check character, so only its date can prove it wrong.

    Source:
        GB 11643-1989 and GB 11643-1999; 15-digit cards were retired on 2013-01-01.
    """
    if _LEGACY_RESIDENT_ID.fullmatch(text) is None:
        return None
    century = "18" if text[12:] in CENTENARIAN_SEQUENCES else "19"
    first = text[:6] + century + text[6:]
    if _as_date(first[6:14]) is None:
        return None
    return first + resident_id_check_character(first)


@dataclass(frozen=True, slots=True)
class CreditCodeCheck:
    """What holds of a unified social credit code, the two check characters apart.

    Attributes:
        shape: 18 characters of the alphabet, the area in digits.
        outer: The last character fits the 17 before it (GB 32100).
        inner: Characters 9 to 17 are a right organisation code (GB 11714).
    """

    shape: bool
    outer: bool
    inner: bool

    @property
    def is_valid(self) -> bool:
        """Whether all three hold."""
        return self.shape and self.outer and self.inner


def credit_code_check_character(first: str) -> str:
    """Check character for the first 17 characters of a credit code.

    Source:
        GB 32100-2015 §4.5; `(31 - sum) mod 31`, where the outer modulo matters when sum is 0.
    """
    total = sum(
        CREDIT_CODE_ALPHABET.index(letter) * weight
        for letter, weight in zip(first, CREDIT_CODE_WEIGHTS, strict=True)
    )
    return CREDIT_CODE_ALPHABET[(31 - total % 31) % 31]


def credit_code(text: str) -> CreditCodeCheck:
    """Check a unified social credit code, its outer and its inner check character apart.

    Source:
        GB 32100-2015; its printed example 91350100M000100Y43 passes.
    """
    if _CREDIT_CODE.fullmatch(text) is None:
        return CreditCodeCheck(shape=False, outer=False, inner=False)
    return CreditCodeCheck(
        shape=True,
        outer=credit_code_check_character(text[:17]) == text[17],
        inner=organisation_code_is_valid(text[8:17]),
    )


def organisation_code_check_character(first: str) -> str:
    """Check character for the first 8 characters of an organisation code (GB 11714-1997)."""
    total = sum(
        ORGANISATION_CODE_ALPHABET.index(letter) * weight
        for letter, weight in zip(first, ORGANISATION_CODE_WEIGHTS, strict=True)
    )
    return ORGANISATION_CODE_CHECKS[total % 11]


def organisation_code_is_valid(text: str) -> bool:
    """Whether `text` is an organisation code, with or without its printed hyphen.

    Source:
        GB 11714-1997; its printed example D2143569-X passes.
    """
    found = _ORGANISATION_CODE.fullmatch(text)
    return found is not None and organisation_code_check_character(found[1]) == found[2]


def registration_no_check_digit(first: str) -> str:
    """Check digit for the first 14 digits of a registration number (ISO 7064 MOD 11,10)."""
    product = 10
    for digit in first:
        product = (product + int(digit)) % 10 or 10
        product = product * 2 % 11
    return str((11 - product) % 10)


def registration_no_is_valid(text: str) -> bool:
    """Whether `text` is a 15-digit market registration number with its check digit.

    Numbers from before 2007 have 13 digits and no check; they are False here.

    Source:
        GS 15-2006.
    """
    if _REGISTRATION_NO.fullmatch(text) is None:
        return False
    return registration_no_check_digit(text[:14]) == text[14]


@dataclass(frozen=True, slots=True)
class RealEstateUnit:
    """Parts of a real-estate unit code (GB/T 37346-2019).

    Attributes:
        county: Area code, possibly a historical one.
        right_kind: G state, J collective, Z not determined.
        fixture: F building, L forest, Q other, W none (bare land).
    """

    county: str
    cadastral_area: str
    cadastral_subarea: str
    right_kind: str
    land_kind: str
    parcel: str
    fixture: str
    fixture_number: str

    @property
    def parcel_code(self) -> str:
        """The 19-character code of the parcel that the unit stands on."""
        area = f"{self.county}{self.cadastral_area}{self.cadastral_subarea}"
        return f"{area}{self.right_kind}{self.land_kind}{self.parcel}"


def real_estate_unit(text: str) -> RealEstateUnit | None:
    """Take a 28-character real-estate unit code apart, or give None when it is none.

    Bare land (W) has the number 00000000; there is no check digit in this code.

    Source:
        GB/T 37346-2019. Some public validators wrongly demand digits only.
    """
    found = _REAL_ESTATE_UNIT.fullmatch(text)
    if found is None or (found["fixture"] == "W" and found["fixture_number"] != "00000000"):
        return None
    return RealEstateUnit(**found.groupdict())


def real_estate_unit_is_valid(text: str) -> bool:
    """Whether `text` is a well-formed real-estate unit code."""
    return real_estate_unit(text) is not None


def mod_37_36_check_character(body: str) -> str:
    """Check character of letters and digits (ISO 7064 MOD 37,36).

    Args:
        body: Characters of 0-9 A-Z, without the check character.
    """
    product = 36
    for letter in body:
        product = (product + MOD_37_36_ALPHABET.index(letter)) % 36 or 36
        product = product * 2 % 37
    return MOD_37_36_ALPHABET[(37 - product) % 36]


def mod_37_36_is_valid(text: str) -> bool:
    """Whether the last character of `text` is the right check character of the rest."""
    if len(text) < 2 or not set(text) <= set(MOD_37_36_ALPHABET):  # noqa: PLR2004 - body and check
        return False
    return mod_37_36_check_character(text[:-1]) == text[-1]


def with_check_character(body: str) -> str:
    """An acceptance number's body with its check character appended."""
    return body + mod_37_36_check_character(body)


def licence_id_is_valid(text: str) -> bool:
    """Whether `text` is an electronic licence id: root, type, issuer, serial, version, check.

    Source:
        GB/T 36904-2018; MOD 37,36 over the parts after the root, dots left out.
    """
    if _LICENCE_ID.fullmatch(text) is None:
        return False
    return mod_37_36_is_valid(text.removeprefix(LICENCE_ROOT).replace(".", ""))
