"""Identifiers: well-formed numbers for synthetic people, companies, houses and certificates.

Every generator computes its check digits by the standard it names. The area code is always 620899,
a county that never existed, so no number made here can belong to anybody. Nothing here validates:
the hub has its own rules, and the two are compared in the tests.
"""

from __future__ import annotations

from datetime import date

AREA_CODE = "620899"
RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
RESIDENT_CHECKS = "10X98765432"
CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: no I O S V Z
CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)  # GB 11714-1997


def resident_check(first17: str) -> str:
    """Compute the 18th character of a resident ID (GB 11643, ISO 7064 MOD 11-2)."""
    total = sum(int(c) * w for c, w in zip(first17, RESIDENT_WEIGHTS, strict=True))
    return RESIDENT_CHECKS[total % 11]


def resident_id(birth: date, sequence: int, area: str = AREA_CODE) -> str:
    """Make an 18-character resident ID; an odd `sequence` (1-995) is a man, an even one a woman."""
    body = f"{area}{birth:%Y%m%d}{sequence:03d}"
    return body + resident_check(body)


def fifteen_digit_id(resident: str) -> str:
    """Write an 18-character ID of somebody born in the 1900s in its form from before 1999.

    Raises:
        ValueError: The person was not born between 1900 and 1999.
    """
    if resident[6:8] != "19":
        raise ValueError("only people born from 1900 to 1999 had a 15-digit number")
    return resident[:6] + resident[8:17]


def organisation_code(body: str) -> str:
    """Append the check character to the 8-character body of an organisation code (GB 11714)."""
    total = sum(int(c, 36) * w for c, w in zip(body, ORGANISATION_WEIGHTS, strict=True))
    return body + "0123456789X0"[11 - total % 11]


def credit_check(first17: str) -> str:
    """Compute the 18th character of a unified social credit code (GB 32100)."""
    values = (CREDIT_ALPHABET.index(c) for c in first17)
    total = sum(value * w for value, w in zip(values, CREDIT_WEIGHTS, strict=True))
    return CREDIT_ALPHABET[-total % 31]


def credit_code(kind: str, organisation_body: str, area: str = AREA_CODE) -> str:
    """Make a unified social credit code with both its check characters right.

    Args:
        kind: Registering department and category, such as "91" (company) or "92" (sole trader).
        organisation_body: First 8 characters of the organisation code, such as "MA000001".
        area: Area code of the registering organ.
    """
    first17 = kind + area + organisation_code(organisation_body)
    return first17 + credit_check(first17)


def organisation_body(number: int) -> str:
    """Spell a running number as the organisation part of a code issued since 2015 ("MA…")."""
    letters = ""
    for _ in range(6):
        number, digit = divmod(number, len(CREDIT_ALPHABET))
        letters = CREDIT_ALPHABET[digit] + letters
    return "MA" + letters


def registration_no(sequence: int, area: str = AREA_CODE) -> str:
    """Make a 15-digit business registration number (GS 15-2006, ISO 7064 MOD 11,10)."""
    body = f"{area}{sequence:08d}"
    product = 10
    for digit in body:
        product = (product + int(digit)) % 10 or 10
        product = product * 2 % 11
    return body + str((11 - product) % 10)


def unit_no(cadastral: int, parcel: int, building: int, unit: int) -> str:
    """Make a 28-character real-estate unit code for a flat on state-owned building land.

    Source:
        GB/T 37346-2019: county 6, cadastral area and sub-area 3 + 3, feature code GB, parcel 5,
        then F for a house, building 4 and unit 4.
    """
    area, sub_area = divmod(cadastral, 1000)
    return f"{AREA_CODE}{area:03d}{sub_area:03d}GB{parcel:05d}F{building:04d}{unit:04d}"


def certificate_no(year: int, sequence: int) -> str:
    """Number a certificate of real-estate rights in its canonical full-width form."""
    return f"甘（{year}）平凉市不动产权第{sequence:07d}号"


def mortgage_proof_no(year: int, sequence: int) -> str:
    """Number a proof of mortgage registration."""
    return f"甘（{year}）平凉市不动产证明第{sequence:07d}号"


def break_check(number: str) -> str:
    """Replace the last character by another digit, so that the check no longer holds."""
    return number[:-1] + ("1" if number[-1] != "1" else "2")
